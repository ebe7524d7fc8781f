"""Holds keyframes back until it is sure that no change lies between one and its other moments."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final

from cinecut.film.moments.picks import Pick
from cinecut.film.moments.transitions import KNOWN_AFTER_S, Change

_ROUNDED_S: Final = Fraction(1, 10**6)  # as far as a moment's time may be from the frame's


class Settling:
    """A queue in film order; a keyframe without other moments waits only for those before it."""

    def __init__(self) -> None:
        self._picks: deque[Pick] = deque()

    def add(self, picks: Iterable[Pick]) -> Iterator[Pick]:
        """Take the next keyframes and yield those that are sure by now."""
        self._picks.extend(picks)
        yield from self.until(Fraction(-1))

    def until(self, time: Fraction) -> Iterator[Pick]:
        """Yield what is sure when the film has been looked at until `time` seconds."""
        while self._picks and _settles_at(self._picks[0]) <= time:
            yield self._picks.popleft()

    def part(self, change: Change) -> None:
        """Take from each keyframe the moments that lie beyond `change`, or in it."""
        self._picks = deque(_on_its_side(pick, change) for pick in self._picks)

    def finish(self) -> Iterator[Pick]:
        """Yield what is left: no change will come any more."""
        while self._picks:
            yield self._picks.popleft()


def _settles_at(pick: Pick) -> Fraction:
    if not pick.moments:
        return Fraction(-1)
    last = max(Fraction(moment.timestamp_s) for moment in pick.moments)
    return max(pick.time, last) + KNOWN_AFTER_S


def _on_its_side(pick: Pick, change: Change) -> Pick:
    is_before = pick.time < change.middle
    moments = tuple(
        moment
        for moment in pick.moments
        if (
            moment.timestamp_s < change.begin - _ROUNDED_S
            if is_before
            else moment.timestamp_s > change.end - _ROUNDED_S
        )
    )
    return pick if len(moments) == len(pick.moments) else replace(pick, moments=moments)
