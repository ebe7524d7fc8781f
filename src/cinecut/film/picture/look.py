"""Says whether two pictures look the same: so much that nobody could tell which is which."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from operator import sub
from pathlib import Path
from typing import Final, Literal

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from cinecut.film.picture.pixels import small_pixels
from cinecut.models import THUMB_PX

# Three sizes, each for what it shows: the whole, parts of eight pixels, and the smallest thing.
_GIST_PX: Final = (4, 3)
_PARTS_PX: Final = (60, 34)
_DETAIL_PX: Final = (480, 270)
# Levels of 255. Slides of 720p that x264 coded at CRF 32 differ from themselves by up to 2, 6 and
# 27 (measured over 90 s); a person of 20 x 40 pixels in such a picture makes 60 of the last.
_GIST_MAX: Final = 3
_PARTS_MAX: Final = 6
_DETAIL_MAX: Final = 30
_Limit = tuple[tuple[int, int], Literal["rgb24", "gray"], int]
_LIMITS: Final[tuple[_Limit, ...]] = (
    (_GIST_PX, "rgb24", _GIST_MAX),
    (_PARTS_PX, "rgb24", _PARTS_MAX),
    (_DETAIL_PX, "gray", _DETAIL_MAX),
)


@dataclass(frozen=True)
class Look:
    """What a picture looks like, in small."""

    path: Path
    """The JPEG, for a closer look."""
    size: tuple[int, int]
    gist: bytes
    parts: bytes = field(repr=False)
    thumb: bytes = field(repr=False)
    """In `THUMB_PX`, RGB: what is left of the picture where many are compared."""

    def may_be_same_as(self, other: Look) -> bool:
        """Say, in a moment, whether a closer look is worth it: the gist first, then the parts."""
        return (
            self.size == other.size
            and _differ_by(self.gist, other.gist, _GIST_MAX)
            and _differ_by(self.parts, other.parts, _PARTS_MAX)
        )

    def is_same_as(self, other: Look) -> bool:
        """Say whether both pictures look the same; the files are read if they seem to."""
        if not self.may_be_same_as(other):
            return False
        one, two = _detail(self.path), _detail(other.path)
        return one is not None and two is not None and _differ_by(one, two, _DETAIL_MAX)


def look_at(path: Path) -> Look | None:
    """Return the look of the JPEG at `path`, or None where it cannot be read."""
    frame = _decoded(path)
    if frame is None:
        return None
    return Look(
        path,
        (frame.width, frame.height),
        small_pixels(frame, _GIST_PX, "rgb24"),
        small_pixels(frame, _PARTS_PX, "rgb24"),
        small_pixels(frame, THUMB_PX, "rgb24"),
    )


def look_the_same(one: bytes, other: bytes) -> bool:
    """Say whether two JPEGs in memory look the same; one that cannot be read never does."""
    first, second = _frame_of(one), _frame_of(other)
    if first is None or second is None:
        return False
    return all(
        _differ_by(small_pixels(first, size, form), small_pixels(second, size, form), most)
        for size, form, most in _LIMITS
    )


def _detail(path: Path) -> bytes | None:
    frame = _decoded(path)
    return None if frame is None else small_pixels(frame, _DETAIL_PX, "gray")


def _decoded(path: Path) -> VideoFrame | None:
    try:
        return _frame_of(path.read_bytes())
    except OSError:
        return None


def _frame_of(jpeg: bytes) -> VideoFrame | None:
    try:
        with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
            return next(container.decode(video=0), None)
    except (OSError, FFmpegError):
        return None


def _differ_by(one: bytes, other: bytes, most: int) -> bool:
    """Say whether no two values differ by more than `most`."""
    return one == other or max(map(abs, map(sub, one, other))) <= most
