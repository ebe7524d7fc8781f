"""Keeps the middles of the subtitle lines that the scan has not reached yet."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, order=True)
class Line:
    """One line of dialogue: when it is on the screen, in seconds from the film's start."""

    middle: Fraction
    start: Fraction
    end: Fraction
    text: str = ""
    """What is said, as plain text."""

    @classmethod
    def over(cls, start: Fraction, end: Fraction, text: str = "") -> Line | None:
        """Return the line shown from `start` to `end`, or None where that is no time at all."""
        return cls((start + end) / 2, start, end, text) if 0 <= start < end else None


class Lines:
    """The lines still to come, the nearest first; more may be added while the scan runs."""

    def __init__(self) -> None:
        self._heap: list[Line] = []

    def add(self, line: Line) -> None:
        """Add `line`; its turn comes when the scan reaches its middle."""
        heapq.heappush(self._heap, line)

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_middle(self) -> Fraction | None:
        """Time of the nearest middle still to come, or None."""
        return self._heap[0].middle if self._heap else None

    def take_before(self, time: Fraction) -> list[Line]:
        """Remove and return the lines whose middle lies before `time`."""
        taken = []
        while self._heap and self._heap[0].middle < time:
            taken.append(heapq.heappop(self._heap))
        return taken
