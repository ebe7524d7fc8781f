"""Words what is said at a frame's moment, for a model that is to know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cinecut.models import DialogueLine

MOST_BYTES: Final = 400
"""The most that is told, in UTF-8: each byte is room in every slot's context, used or not."""

_BETWEEN: Final = " / "

# What chat templates and llama-server obey stands in brackets: a picture's mark, the end of a turn.
_OBEYED_BY_NOBODY: Final = str.maketrans('<>[]{}"', "()()()'")


def as_data(text: str) -> str:
    """Return `text` with round brackets alone, so that nothing in it is a mark of the chat."""
    return text.translate(_OBEYED_BY_NOBODY)


def words_at(timestamp_s: float, lines: Iterable[DialogueLine]) -> str:
    """Return as many of `lines` as there is room for, the nearest to the moment first.

    Those that are told stand in their order; only one that has no room even alone is cut short.
    Brackets become round ones: none of them can be taken for a mark of the chat.

    Args:
        timestamp_s: The frame's moment, in seconds.
        lines: What is said while the frame stands for the film, in film order.
    """
    told: list[tuple[int, str]] = []
    left = MOST_BYTES
    nearest = sorted(enumerate(lines), key=lambda line: _distance_s(line[1], timestamp_s))
    for place, line in nearest:
        text = as_data(line.text)
        needed = len(text.encode()) + (len(_BETWEEN) if told else 0)
        if needed > left:
            return _BETWEEN.join(text for _, text in sorted(told)) or _cut(text)
        left -= needed
        told.append((place, text))
    return _BETWEEN.join(text for _, text in sorted(told))


def _distance_s(line: DialogueLine, timestamp_s: float) -> float:
    return max(line.start_s - timestamp_s, timestamp_s - line.end_s, 0.0)


def _cut(text: str) -> str:
    room = MOST_BYTES - len("…".encode())
    return text.encode()[:room].decode(errors="ignore") + "…"
