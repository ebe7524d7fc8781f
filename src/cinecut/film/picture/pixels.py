"""Gives a frame's pixels in small, row by row without the padding between rows."""

from __future__ import annotations

from typing import Literal

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter


def small_pixels(
    frame: VideoFrame, size: tuple[int, int], pixel_format: Literal["rgb24", "gray"] = "rgb24"
) -> bytes:
    """Return `frame` scaled to `size`, width and height, each pixel the mean of what it covers.

    Three bytes a pixel in "rgb24", one in "gray".

    Raises:
        av.error.FFmpegError: FFmpeg cannot convert the frame.
    """
    width, height = size
    small = VideoReformatter().reformat(
        frame, width, height, pixel_format, interpolation=Interpolation.AREA
    )
    plane, stride = bytes(small.planes[0]), small.planes[0].line_size
    row = width * (3 if pixel_format == "rgb24" else 1)
    return b"".join(plane[y * stride : y * stride + row] for y in range(height))
