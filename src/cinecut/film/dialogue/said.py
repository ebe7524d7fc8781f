"""Keeps what is said until the scenes are known that show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Final

from cinecut.film.reading.lines import Line, Lines
from cinecut.models import DialogueLine, KeyframeRecord

MOST_BYTES: Final = 900_000
"""The most that a scene's lines take in a journal: a line of it has 4 MiB, a reply up to three."""

MOST_WAITING: Final = 50_000
"""The most lines that wait for their scene: a day of talk, and no endless track."""

_AROUND_BYTES: Final = 64
"""What a line takes beside its text: its times and their names."""


class Said:
    """The lines that no scene has yet."""

    def __init__(self) -> None:
        self._lines = Lines()

    def add(self, line: Line) -> None:
        """Add `line`; one that comes late goes to the next scene that takes some.

        While `MOST_WAITING` wait, more are left out.
        """
        if len(self._lines) < MOST_WAITING:
            self._lines.add(line)

    def take_before(self, time: Fraction) -> tuple[DialogueLine, ...]:
        """Remove the lines whose middle lies before `time`, and return them by their start.

        What stands there twice, as the layers of a styled line do, comes once. Of more than
        `MOST_BYTES` the first lines come.
        """
        lines = {
            DialogueLine(round(float(line.start), 3), round(float(line.end), 3), line.text): None
            for line in sorted(self._lines.take_before(time), key=lambda line: line.start)
        }
        return tuple(_as_many_as_fit(lines))


def share_out(
    records: Iterable[KeyframeRecord], said: Said, find_end: Callable[[], Fraction | None]
) -> Iterator[tuple[KeyframeRecord, tuple[DialogueLine, ...]]]:
    """Yield each of `records` with what is said while it stands for the film, one behind.

    That is from half way to the one before to half way to the next. A line belongs to the scene
    in whose span its middle lies: of two, to the one that shows more of it.

    Args:
        records: Keyframes in film order.
        said: What is said; it must have the lines before a keyframe when that one comes.
        find_end: Asked when no more come: where the film ends, or None where it was not reached,
            and so nobody knows what belongs to the last one, which is left out.
    """
    held: KeyframeRecord | None = None
    for record in records:
        if held is not None:
            half_way = Fraction(held.timestamp_s + record.timestamp_s) / 2
            yield held, said.take_before(half_way)
        held = record
    end = find_end()
    if held is not None and end is not None:
        yield held, said.take_before(end)


def _as_many_as_fit(lines: Iterable[DialogueLine]) -> Iterator[DialogueLine]:
    left = MOST_BYTES
    for line in lines:
        left -= len(json.dumps(line.text)) + _AROUND_BYTES
        if left < 0:
            return
        yield line
