"""Ends a text that was cut off where a person would: at a sentence, else at a word."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ELLIPSIS: Final = "\u2026"
_CLOSING: Final = "[\"'\u2019\u201d\u00bb)\\]\u300d\u300f\u3011\uff09]*"
_WIDE_STOPS: Final = "\u3002\uff0e\uff61\uff01\uff1f"  # no blank follows them
_STOPS: Final = ".!?\u2026\u061f\u06d4\u0964\u0965\u0589\u1362\u104b\u17d4"
# Not after an initial or a short word with a capital: Mr. Smith is no sentence's end.
_NO_TITLE: Final = r"(?<!\b[A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z][a-z])"
_SENTENCE: Final = re.compile(
    rf"(?:[{_WIDE_STOPS}]{_CLOSING}|{_NO_TITLE}[{_STOPS}]{_CLOSING}(?=\s+[^\sa-z]))"
)
_ENDED: Final = re.compile(rf"[{_WIDE_STOPS}{_STOPS}]{_CLOSING}\Z")
_PHRASE: Final = re.compile(r"\s|[\u3001\uff0c\uff1b\uff1a]")
_LOOSE: Final = " \t\n,;:-\u2013\u2014([{\u3001\uff0c\uff1b\uff1a\u00b7"

UNSPACED: Final = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Ranges of the scripts that put no blanks between words, for a set of a regular expression."""
_IN_WORD: Final = re.compile(r"[\w'\u2019-]\Z")
_WORD: Final = re.compile(rf"[^\s{UNSPACED}]+\Z")
_BEFORE_ITS_CONSONANT: Final = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"


def ends_a_sentence(text: str) -> bool:
    """Say whether the last thing in `text` is a mark that ends sentences."""
    return _ENDED.search(text) is not None


def sentences(text: str) -> list[str]:
    """Return `text` sentence by sentence, each with its mark."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    spans = zip([0, *ends], [*ends, len(text)], strict=True)
    return [sentence for start, end in spans if (sentence := text[start:end].strip())]


def end_properly(text: str) -> str:
    """Return a text that was cut off somewhere, with a proper end and no longer than it is.

    That is the last end of a sentence in its second half. Where there is none, the last word goes,
    for nobody can tell it from a part of one, and an ellipsis stands in its place. Chinese,
    Japanese, Thai and their like have no blanks between words: they end at a phrase in the second
    half, else at a character. A single word without any end is left as far as it goes.
    """
    half = len(text) // 2
    ends = [match.end() for match in _SENTENCE.finditer(text) if match.end() > half]
    if ends:
        return text[: ends[-1]].strip()
    kept = _without_last_word(text, half) if _IN_WORD.search(text) else text
    return kept.rstrip(_LOOSE) + _ELLIPSIS


def _without_last_word(text: str, half: int) -> str:
    word = _WORD.search(text)
    if word is not None:
        return text[: word.start()] if text[: word.start()].strip(_LOOSE) else text[:-1]
    phrases = [match.start() for match in _PHRASE.finditer(text) if match.start() >= half]
    return text[: phrases[-1]] if phrases else _without_last_character(text)


def _without_last_character(text: str) -> str:
    """Return `text` without its last letter and the marks that belong to it, before and after."""
    end = len(text) - 1
    while end > 0 and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    while end > 0 and text[end - 1] in _BEFORE_ITS_CONSONANT:
        end -= 1
    return text[:end]
