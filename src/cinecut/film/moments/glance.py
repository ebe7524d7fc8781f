"""Looks at every frame in small: how much it changed, and what it roughly shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import sub

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from cinecut.film.picture.colour import stretch_filters
from cinecut.film.picture.filters import SceneFilter

# Small enough to cost a hundredth of decoding, large enough for a cut to stand out.
_GLANCE_PX = "64:36"
_THUMB_WIDTH, _THUMB_HEIGHT = 16, 9
_COUNTED = 0.85


@dataclass(frozen=True)
class Thumb:
    """A frame as 16 x 9 mean colours."""

    rgb: bytes

    @property
    def contrast(self) -> float:
        """How far the green values lie from their median on average, 0 (flat) to 127.

        The most extreme ones are left out: a logo or a clock does not make a blank picture
        into a shot.
        """
        green = sorted(self.rgb[1::3])
        median = green[len(green) // 2]
        away = sorted(abs(value - median) for value in green)[: int(_COUNTED * len(green))]
        return sum(away) / len(away)

    def difference(self, other: Thumb) -> float:
        """Mean absolute difference of two pictures, as FFmpeg's scene score counts it.

        1 is a difference of 100 levels of 255 (`get_scene_score` in libavfilter/f_select.c).
        """
        return float(sum(map(abs, map(sub, self.rgb, other.rgb)))) / (100 * len(self.rgb))

    def largest_difference(self, other: Thumb) -> float:
        """Largest absolute difference in any one place, 0 to 1."""
        return float(max(map(abs, map(sub, self.rgb, other.rgb)))) / 255


@dataclass(frozen=True)
class Glance:
    """One frame in small."""

    small: VideoFrame
    is_change: bool
    """Whether its FFmpeg scene score against the frame before reaches the threshold."""

    def thumb(self) -> Thumb:
        """Return the frame's mean colours."""
        tiny = VideoReformatter().reformat(
            self.small, _THUMB_WIDTH, _THUMB_HEIGHT, "rgb24", interpolation=Interpolation.AREA
        )
        plane = tiny.planes[0]
        data, row = bytes(plane), 3 * _THUMB_WIDTH
        starts: Sequence[int] = range(0, plane.line_size * _THUMB_HEIGHT, plane.line_size)
        return Thumb(b"".join(data[start : start + row] for start in starts))


class Glancer:
    """Scales frames down and scores each against the one before, in one filter graph."""

    def __init__(self, threshold: float) -> None:
        """Take the scene score, 0 (no change) to 1, from which a frame counts as a change."""
        self._threshold = threshold
        self._filter: tuple[object, SceneFilter] | None = None

    def __call__(self, frame: VideoFrame) -> Glance:
        """Return the glance at `frame`; the first one of a kind is no change.

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
        if self._filter is None or self._filter[0] != kind:
            filters = (
                ("scale", f"{_GLANCE_PX}:flags=fast_bilinear"),
                *stretch_filters(frame),
                ("format", "rgb24"),
            )
            self._filter = kind, SceneFilter(frame, filters, self._threshold)
        return Glance(*self._filter[1](frame))


@dataclass(frozen=True)
class Sample:
    """A frame that was looked at more closely; the frame itself is not kept."""

    time: Fraction
    thumb: Thumb
    contrast: float

    @classmethod
    def of(cls, time: Fraction, glance: Glance) -> Sample:
        """Return the sample of the frame shown at `time` seconds."""
        thumb = glance.thumb()
        return cls(time, thumb, thumb.contrast)
