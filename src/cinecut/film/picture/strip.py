"""Joins pictures of a shot into one, for a model that takes one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from av.error import FFmpegError
from av.video.frame import VideoFrame

from cinecut.film.picture.filters import stack
from cinecut.film.picture.jpeg import decode_jpeg, encode_jpeg
from cinecut.models import KEYFRAME_SHORT_SIDE_PX


def join_jpegs(pictures: Sequence[bytes]) -> tuple[bytes, bool]:
    """Return the JPEGs in one, in order, and whether they stand one below the other.

    Wide ones do, high ones stand side by side, so that the strip is as near to a square as can be.
    It is no larger than a keyframe: its short side fits `KEYFRAME_SHORT_SIDE_PX`, and its long side
    that of 16:9, or the first picture's. All have the first one's shape.

    Raises:
        ValueError: A picture is no JPEG that can be read.
    """
    try:
        return _joined([decode_jpeg(picture) for picture in pictures])
    except FFmpegError as error:
        raise ValueError(str(error)) from error


def _joined(frames: Sequence[VideoFrame]) -> tuple[bytes, bool]:
    first = frames[0]
    width, height = first.width, first.height
    is_down = width >= height
    whole = (width, height * len(frames)) if is_down else (width * len(frames), height)
    longest = max(width, height, KEYFRAME_SHORT_SIDE_PX * 16 // 9)
    scale = min(1.0, longest / max(whole), KEYFRAME_SHORT_SIDE_PX / min(whole))
    cell = max(2, round(width * scale)), max(2, round(height * scale))
    return encode_jpeg(stack(frames, cell, is_down=is_down)), is_down
