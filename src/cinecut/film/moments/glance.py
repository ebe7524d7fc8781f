"""Looks at every frame in small: how much it changed, and what it roughly shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from operator import sub

from av.video.frame import VideoFrame

from cinecut.film.picture.colour import stretch_filters
from cinecut.film.picture.filters import SceneFilter
from cinecut.film.picture.pixels import small_pixels

# Small enough to cost a hundredth of decoding, large enough for a cut to stand out.
_GLANCE_PX = "64:36"
_THUMB_PX = (16, 9)
_COUNTED = 0.85
_BLACK_MAX, _WHITE_MIN, _BLANK_CONTRAST = 24, 232, 1.5


@dataclass(frozen=True)
class Thumb:
    """A frame as 16 x 9 mean colours."""

    rgb: bytes

    @property
    def contrast(self) -> float:
        """How far values lie from their median on average, 0 (flat) to 127.

        Of red, green and blue the one that differs most counts: a room in red light has next to
        no green. The most extreme values are left out: a logo or a clock in a flat picture is
        not what it shows.
        """
        return max(_deviation(self.rgb[at::3]) for at in range(3))

    @property
    def is_black_or_white(self) -> bool:
        """Whether most of it is."""
        middles = [_median(self.rgb[at::3]) for at in range(3)]
        return max(middles) < _BLACK_MAX or min(middles) > _WHITE_MIN

    def difference(self, other: Thumb) -> float:
        """Mean absolute difference of two pictures, as FFmpeg's scene score counts it.

        1 is a difference of 100 levels of 255 (`get_scene_score` in libavfilter/f_select.c).
        """
        return float(sum(map(abs, map(sub, self.rgb, other.rgb)))) / (100 * len(self.rgb))

    def largest_difference(self, other: Thumb) -> float:
        """Largest absolute difference in any one place, 0 to 1."""
        return float(max(map(abs, map(sub, self.rgb, other.rgb)))) / 255


def largest_spread(rgb: bytes) -> int:
    """Return how far the values of one channel lie apart at the most, 0 to 255."""
    return max(max(rgb[at::3]) - min(rgb[at::3]) for at in range(3))


def _median(values: bytes) -> int:
    return sorted(values)[len(values) // 2]


def _deviation(values: bytes) -> float:
    median = _median(values)
    away = sorted(abs(value - median) for value in values)[: int(_COUNTED * len(values))]
    return sum(away) / len(away)


@dataclass(frozen=True)
class Glance:
    """One frame in small."""

    small: VideoFrame
    is_change: bool
    """Whether its FFmpeg scene score against the frame before reaches the threshold."""

    def thumb(self) -> Thumb:
        """Return the frame's mean colours."""
        return Thumb(small_pixels(self.small, _THUMB_PX))


class Glancer:
    """Scales frames down and scores each against the one before, in one filter graph."""

    def __init__(self, threshold: float) -> None:
        """Take the scene score, 0 (no change) to 1, from which a frame counts as a change."""
        self._threshold = threshold
        self._filter: tuple[object, SceneFilter] | None = None
        self._latest: Glance | None = None

    def __call__(self, frame: VideoFrame) -> Glance:
        """Return the glance at `frame`; the film's first one is no change.

        Raises:
            av.error.FFmpegError: FFmpeg cannot convert the frame.
        """
        kind = (
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
            frame.color_trc,
        )
        is_new = self._filter is None or self._filter[0] != kind
        if self._filter is None or is_new:
            filters = (
                ("scale", f"{_GLANCE_PX}:flags=fast_bilinear"),
                *stretch_filters(frame),
                ("format", "rgb24"),
            )
            self._filter = kind, SceneFilter(frame, filters, self._threshold)
        glance = Glance(*self._filter[1](frame))
        if is_new and self._latest is not None:  # the filter has nothing to compare it with
            change = self._latest.thumb().difference(glance.thumb())
            glance = replace(glance, is_change=change >= self._threshold)
        self._latest = glance
        return glance


@dataclass(frozen=True)
class Sample:
    """A frame that was looked at more closely; the frame itself is not kept."""

    time: Fraction
    thumb: Thumb
    contrast: float

    @property
    def is_blank(self) -> bool:
        """Whether it is black or white all over, but for a logo or a clock."""
        return self.thumb.is_black_or_white and self.contrast < _BLANK_CONTRAST

    @classmethod
    def of(cls, time: Fraction, glance: Glance) -> Sample:
        """Return the sample of the frame shown at `time` seconds."""
        thumb = glance.thumb()
        return cls(time, thumb, thumb.contrast)
