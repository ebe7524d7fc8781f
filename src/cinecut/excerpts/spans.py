"""Says from when to when a hit's scene stands for its film."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cinecut.errors import CineCutError, OutputError
from cinecut.results.presentation import duration_s
from cinecut.results.scenes import Results, read_results
from cinecut.results.summary import summary_of
from cinecut.search import Hit

SHORTEST_S: Final = 1.0
"""A scene whose end nobody knows lasts so long at least."""


@dataclass(frozen=True)
class Excerpt:
    """A hit, and the piece of its film that its picture stands for, or that its chapter is."""

    hit: Hit
    begin_s: float
    """In seconds from the film's start, as the hit's `timestamp_s`."""
    end_s: float
    """Later than `begin_s`."""
    film_s: float | None
    """The film's length; None where nobody knows it."""
    scene: int | None
    """The scene's number in its journal; None where it is not there any more."""


def excerpts_of(hits: Sequence[Hit], on_error: Callable[[CineCutError], None]) -> Iterator[Excerpt]:
    """Yield the excerpt of each hit, in their order.

    The index does not know scenes without words, which end a scene too: so the journals are read,
    each once. Hits whose journal cannot be read are left out, and `on_error` told once a film.
    """
    known: dict[Path, Results | None] = {}
    for hit in hits:
        if hit.folder not in known:
            try:
                known[hit.folder] = read_results(hit.folder)
            except OutputError as error:
                known[hit.folder] = None
                on_error(error)
        if (results := known[hit.folder]) is not None:
            yield _excerpt(hit, results)


def _excerpt(hit: Hit, results: Results) -> Excerpt:
    length_s = duration_s(results)
    times_s = [scene.keyframe.timestamp_s for scene in results.scenes]
    is_whole = results.run.finished is not None
    first_s, last_s = _chapter(hit, results) or (hit.timestamp_s, hit.timestamp_s)
    begin_s, _ = span(first_s, times_s, length_s, is_whole=is_whole)
    _, end_s = span(last_s, times_s, length_s, is_whole=is_whole)
    at = bisect_left(times_s, hit.timestamp_s)
    is_there = at < len(times_s) and times_s[at] == hit.timestamp_s
    return Excerpt(hit, begin_s, end_s, length_s, results.scenes[at].index if is_there else None)


def _chapter(hit: Hit, results: Results) -> tuple[float, float] | None:
    """Return when the first and the last picture of a hit that is a chapter are shown."""
    times_s = {scene.index: scene.keyframe.timestamp_s for scene in results.scenes}
    summary = summary_of(results) if hit.chapter else None
    for chapter in summary.chapters if summary else ():
        first_s, last_s = (times_s[index] for index in chapter.scenes)
        if first_s == hit.timestamp_s:
            return first_s, last_s
    return None


def span(
    at_s: float, times_s: Sequence[float], length_s: float | None, *, is_whole: bool
) -> tuple[float, float]:
    """Return from when to when the picture at `at_s` stands for its film, in seconds.

    That is from half way to the picture before to half way to the next one; the first begins with
    the film, the last ends with it. Where nobody knows what comes after, because the film is still
    being described or of unknown length, as much counts after the picture as before it.

    Args:
        at_s: When the picture is shown.
        times_s: When all pictures of the film are shown, ascending.
        length_s: The film's length.
        is_whole: Whether no picture is missing in `times_s`.
    """
    before, after = bisect_left(times_s, at_s) - 1, bisect_right(times_s, at_s)
    begin_s = (times_s[before] + at_s) / 2 if before >= 0 else 0.0
    if after < len(times_s):
        return begin_s, (at_s + times_s[after]) / 2
    if is_whole and length_s is not None and length_s > at_s:
        return begin_s, length_s
    end_s = at_s + max(at_s - begin_s, SHORTEST_S)
    is_within = length_s is not None and length_s > at_s
    return begin_s, min(end_s, length_s) if is_within and length_s else end_s
