"""Turns excerpts into clips: frames of a file, as its film is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cinecut.errors import CineCutError, FilmError
from cinecut.excerpts.films import with_films
from cinecut.excerpts.spans import Excerpt
from cinecut.excerpts.timecode import Timebase, timebase_of
from cinecut.film.reading.counting import Counting, counting_of


@dataclass(frozen=True)
class Clip:
    """An excerpt as an editor's program takes it: frames of a file."""

    excerpt: Excerpt
    film: Path
    counting: Counting

    @property
    def timebase(self) -> Timebase:
        """How the film itself is counted."""
        return timebase_of(self.counting.rate, self.counting.start_timecode)

    def first_frame(self, timebase: Timebase) -> Fraction:
        """Return the number that the film's first frame has; 0 where the film does not tell.

        Of a film that is counted otherwise it is rarely whole.
        """
        own, noted = self.timebase, (self.counting.start_timecode or "").strip()
        first = own.frame_at(noted)
        if first is None or own == timebase:
            return Fraction(first or 0)
        whole = timebase.frame_at(f"{noted[:8]}:00") or 0
        return whole + int(noted[-2:]) * timebase.rate / own.rate

    def frames(self, timebase: Timebase) -> tuple[int, int]:
        """Return the number of the first frame and of the one after the last."""
        first, times_s = self.first_frame(timebase), (self.excerpt.begin_s, self.excerpt.end_s)
        begin, end = (round(first + Fraction(at_s) * timebase.rate) for at_s in times_s)
        return begin, max(begin + 1, end)


def clips_of(
    excerpts: Iterable[Excerpt], on_error: Callable[[CineCutError], None]
) -> Iterator[Clip]:
    """Yield the excerpts whose film can be read; `on_error` is told once a film of others."""
    known: dict[Path, Counting | None] = {}
    for excerpt, film in with_films(excerpts, on_error):
        if film not in known:
            try:
                known[film] = counting_of(film)
            except FilmError as error:
                known[film] = None
                on_error(error)
        if (counting := known[film]) is not None:
            yield Clip(excerpt, film, counting)
