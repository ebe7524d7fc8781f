"""Tells a reply that goes in circles from one that says something."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

_LEAST_ROUNDS: Final = 3
_LEAST_BYTES: Final = 40  # "left, right, left, right, left, right" is a thing to say
_MOST_COMPRESSED: Final = 2.4  # as Whisper has it
_LOOKED_AT_CHARS: Final = 4096  # many times what is asked for; circles stand at the end


def repeats_itself(texts: Sequence[str]) -> bool:
    """Say whether the texts of a reply go in circles.

    Either one of them says the same three times in a row, or all of them together are so alike
    that they compress by more than 2.4. Honest ones compress by 1.0 to 2.3, in any language.
    """
    ends = [f"{text[-_LOOKED_AT_CHARS:]} " for text in texts]  # the last round has its blank, too
    ratio = _compression_ratio("".join(ends))
    return ratio > _MOST_COMPRESSED or any(map(_goes_in_circles, ends))


def _compression_ratio(text: str) -> float:
    """Return by how much `text` compresses with a byte for a character.

    In UTF-8 a script of two or three bytes a letter compresses by more than 2.4 whatever it says.
    """
    numbers = {char: number % 256 for number, char in enumerate(dict.fromkeys(text))}
    plain = bytes(numbers[char] for char in text)
    return len(plain) / len(zlib.compress(plain))


def _goes_in_circles(text: str) -> bool:
    """Say whether a part of `text` stands there three times in a row, 40 bytes in all.

    Three rounds of any length hold two that begin at a multiple of it: only those are compared.
    """
    for length in range(1, len(text) // _LEAST_ROUNDS + 1):
        for at in range(0, len(text) - 2 * length + 1, length):
            if text.startswith(text[at : at + length], at + length):
                begin, end = at, at + 2 * length
                while end < len(text) and text[end] == text[end - length]:
                    end += 1
                while begin > 0 and text[begin - 1] == text[begin - 1 + length]:
                    begin -= 1
                circles = text[begin:end]
                is_long = len(circles.encode()) >= _LEAST_BYTES and not circles.isspace()
                if end - begin >= _LEAST_ROUNDS * length and is_long:
                    return True
    return False
