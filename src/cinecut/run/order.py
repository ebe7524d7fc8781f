"""Lets what happens to films out in film order, though slots finish in any order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Event = TypeVar("Event")


class _Line(Generic[Event]):
    """The events of one film that wait for their turn."""

    def __init__(self, beginning: Event | None) -> None:
        self.beginning = beginning
        self.scenes: dict[int, Event] = {}
        self.turn = 0
        """Whose turn among the scenes it is."""
        self.end: Event | None = None

    def in_turn(self) -> Iterator[Event]:
        if self.beginning is not None:
            beginning, self.beginning = self.beginning, None
            yield beginning
        while self.turn in self.scenes:
            yield self.scenes.pop(self.turn)
            self.turn += 1

    def rest(self) -> Iterator[Event]:
        yield from self.in_turn()
        for turn in sorted(self.scenes):
            yield self.scenes.pop(turn)
        if self.end is not None:
            yield self.end


class FilmOrder(Generic[Event]):
    """One film after the other, the scenes of each by their turn.

    What comes early is held back: behind the few scenes that are being described before it, and
    what belongs to the next film until this one has ended.
    """

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line[Event]] = {}

    def begin(self, film: Hashable, event: Event | None) -> Iterator[Event]:
        """Put `film` behind those that have begun; None where there is nothing to tell of it."""
        self._lines[film] = _Line(event)
        yield from self._in_turn()

    def scene(self, film: Hashable, turn: int, event: Event) -> Iterator[Event]:
        """Take the event of a scene, turns counted from 0, and yield those whose turn it is."""
        self._lines[film].scenes[turn] = event
        yield from self._in_turn()

    def end(self, film: Hashable, event: Event) -> Iterator[Event]:
        """Take the end of a film; a turn that has not come by now never comes."""
        self._lines[film].end = event
        yield from self._in_turn()

    def rest(self) -> Iterator[Event]:
        """Yield all that waits, in order: the run ends here."""
        for line in self._lines.values():
            yield from line.rest()
        self._lines.clear()

    def _in_turn(self) -> Iterator[Event]:
        while self._lines:
            film, line = next(iter(self._lines.items()))
            yield from line.in_turn()
            if line.end is None:
                return
            yield from line.rest()
            del self._lines[film]
