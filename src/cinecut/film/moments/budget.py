"""Spreads a limited number of keyframes over the whole film."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from cinecut.film.moments.picks import Pick
from cinecut.models import KEYFRAME_SOURCES


class Budget:
    """Cuts the film into as many slots as there are frames to give, one frame a slot.

    A slot gives its strongest pick, the one nearest to its middle among equals; what a slot
    leaves over, later ones may use.
    """

    def __init__(self, frames: int, duration: Fraction) -> None:
        """Take the number of frames and the film's length in seconds."""
        self._frames = frames
        self._slot_s = duration / frames
        self._slot = 0
        self._given = 0
        self._held: list[Pick] = []

    def offer(self, pick: Pick) -> Iterator[Pick]:
        """Take the next pick and yield those that are sure by now, in film order."""
        slot = min(int(pick.time / self._slot_s), self._frames - 1)
        if slot > self._slot:
            # Empty slots on the way pass their share on to this one.
            yield from self._close()
            self._slot = slot
        self._held.append(pick)
        if len(self._held) > self._slot + 1 - self._given:
            self._held.remove(max(self._held, key=self._weakness))

    def finish(self) -> Iterator[Pick]:
        """Yield what the last slot holds."""
        yield from self._close()

    def _close(self) -> Iterator[Pick]:
        held, self._held = self._held, []
        self._given += len(held)
        yield from held

    def _weakness(self, pick: Pick) -> tuple[int, Fraction]:
        middle = (self._slot + Fraction(1, 2)) * self._slot_s
        return [*KEYFRAME_SOURCES].index(pick.source), abs(pick.time - middle)
