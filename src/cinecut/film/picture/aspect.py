"""Reads the shape of a frame's pixels, which a broadcast may change between any two frames."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from av.video.frame import VideoFrame

from cinecut.film.picture.filters import FilterChain, Filters
from cinecut.film.picture.shape import ASPECT_MAX, ASPECT_MIN

# PyAV tells no frame's sample aspect, but FFmpeg's expressions know it: here it becomes a width.
_UNIT: Final = 2520
_PROBE: Final[Filters] = (
    ("crop", "16:16:0:0"),
    ("scale", f"eval=frame:h=2:w=round({_UNIT}*clip(sar\\,{ASPECT_MIN}\\,{ASPECT_MAX}))"),
)


class AspectReader:
    """Tells the width of a frame's pixels divided by their height."""

    def __init__(self) -> None:
        self._chain: tuple[object, FilterChain] | None = None

    def __call__(self, frame: VideoFrame) -> Fraction:
        """Return the sample aspect of `frame` within 1/2520; 1 where it does not say.

        Raises:
            av.error.FFmpegError: FFmpeg cannot look at the frame.
        """
        kind = (frame.width, frame.height, frame.format.name)
        if self._chain is None or self._chain[0] != kind:
            self._chain = kind, FilterChain(frame, _PROBE)
        return Fraction(self._chain[1](frame).width, _UNIT)
