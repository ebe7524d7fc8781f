"""Walks through a film in one pass, frame by frame or by its key pictures alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from av.error import FFmpegError
from av.video.frame import VideoFrame

from cinecut.film.reading.lines import Line, Lines
from cinecut.film.reading.timeline import Part
from cinecut.film.reading.video import Video

# A key picture this near to the middle of a line serves it when the line is gone already.
_NEAR_S = Fraction(1)
# A film of a damaged length is not followed for ever.
_FILLERS_MAX = 50_000
# How far before a moment to look for its key picture when the file's index points past it.
_SEEK_BACK_S = (0, 5, 30)


@dataclass(frozen=True)
class Shown:
    """A frame as the walk comes past it."""

    time: Fraction
    """Seconds from the film's start."""
    frame: VideoFrame
    in_line: bool
    """Whether this is the frame for the middle of a subtitle line."""


Walk = Generator[Shown, None, None]


def walk_frames(video: Video, lines: Lines) -> Walk:
    """Yield every frame of the film, each when the next one's time is known."""
    held: tuple[Fraction, VideoFrame] | None = None
    for time, frame in video.frames():
        if held is not None:
            yield Shown(*held, in_line=_is_in_line(held[0], lines.take_before(time)))
        held = time, frame
    if held is not None:
        yield Shown(*held, in_line=_is_in_line(held[0], lines.take_before(video.clock.end)))


def _is_in_line(time: Fraction, passed: list[Line]) -> bool:
    """Whether the frame at `time` serves a line; one from a late packet may be over by then."""
    return any(time < line.end for line in passed)


def walk_key_pictures(video: Video, lines: Lines, second: Video, interval: Fraction) -> Walk:
    """Yield the film's key pictures, and single frames between them where they are needed.

    A line is served by the nearest key picture when that is shown with the line or within a
    second of its middle, and else by the exact frame, which the `second` view of the film
    seeks and decodes. So is a gap between key pictures that is longer than the interval.
    """
    finder = _Finder(second)
    held: tuple[Fraction, VideoFrame] | None = None
    served = False
    for time, frame in video.frames(key_pictures_only=True):
        if held is not None:
            exact, here, served_next = _serve(lines.take_before(time), held[0], time)
            yield Shown(*held, in_line=served or here)
            fillers = _gap_fillers(held[0], time, interval)
            yield from finder.between(held[0], time, exact, fillers, video.part_at(held[0]))
            served = served_next
        held = time, frame
    if held is None:
        return
    end = video.end
    exact, here, _ = _serve(lines.take_before(end), held[0], None)
    yield Shown(*held, in_line=served or here)
    fillers = _gap_fillers(held[0], end, interval)
    yield from finder.between(held[0], end, exact, fillers, video.part_at(held[0]))


def _serve(
    lines: list[Line], before: Fraction, after: Fraction | None
) -> tuple[list[Fraction], bool, bool]:
    """Return the middles to seek, and whether the key pictures before and after serve a line."""
    exact, here, there = [], False, False
    for line in lines:
        near = before if after is None or line.middle - before <= after - line.middle else after
        if not (line.start <= near < line.end or abs(near - line.middle) <= _NEAR_S):
            exact.append(line.middle)
        elif near == before:
            here = True
        else:
            there = True
    return exact, here, there


def _gap_fillers(before: Fraction, after: Fraction, interval: Fraction) -> list[Fraction]:
    pieces = min(math.ceil((after - before) / interval), _FILLERS_MAX)
    return [before + (after - before) * piece / pieces for piece in range(1, pieces)]


class _Finder:
    """Decodes single frames between two key pictures, in a view of the film of its own."""

    def __init__(self, video: Video) -> None:
        self._video = video

    def between(
        self,
        key: Fraction,
        end: Fraction,
        middles: list[Fraction],
        fillers: list[Fraction],
        part: Part | None,
    ) -> Iterator[Shown]:
        """Yield the frames shown at `middles` (of lines) and `fillers`, in film order.

        All of them lie after the key picture at `key` and before the one at `end`, so one
        seek serves them all: to the `part` of the file where it lies, where that is known.
        """
        wanted = Lines()
        for moment in fillers:
            wanted.add(Line(moment, moment, moment))
        for moment in middles:
            wanted.add(Line(moment, moment, end))
        held: tuple[Fraction, VideoFrame] | None = None
        first = wanted.next_middle
        for time, frame in () if first is None else self._frames_from(first, part):
            passed = wanted.take_before(time)
            if passed and held is not None and held[0] > key:
                yield Shown(*held, in_line=any(line.end == end for line in passed))
            if wanted.next_middle is None or time >= end:
                return
            held = time, frame
        passed = wanted.take_before(end)
        if passed and held is not None and held[0] > key:
            yield Shown(*held, in_line=any(line.end == end for line in passed))

    def _frames_from(
        self, moment: Fraction, part: Part | None
    ) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decode from a key picture at or before `moment`."""
        ways: list[tuple[Callable[[], None], bool]] = []
        if part is not None:  # some formats know no places: those are sought by time after all
            ways.append((partial(self._video.go_to, part), False))
        for back_s in _SEEK_BACK_S:
            back = partial(self._video.seek, max(Fraction(0), moment - back_s))
            ways.append((back, back_s > moment))
        for go, is_start in ways:
            try:
                go()
            except FFmpegError:
                continue
            frames = self._video.frames()
            first = next(frames, None)
            if first is not None and (first[0] <= moment or is_start):
                yield first
                yield from frames
                return
