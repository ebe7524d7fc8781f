"""Encodes the pictures of a moment again, where it must begin and end on frames of its own."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

from av import Codec, VideoFrame
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cinecut.film.reading.opening import exact
from cinecut.film.reading.video import Video

_H264: Final = ("libx264", {"crf": "18", "preset": "medium"})
_VP9: Final = ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"})
_BACK_S: Final = (0, 2, 10, 60)
_TICKS: Final = 90_000
_MOST_TICKS: Final = 2**31 - 1


def frames_between(
    film: Path, begin: Fraction, end: Fraction
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Yield the frames of `film` that are shown from `begin` on and before `end`, with their time.

    Times are in seconds from the film's start.

    Raises:
        FilmError: The film cannot be read.
    """
    for back_s in (*_BACK_S, None):  # an index may lead to a key picture that is too late
        is_start = back_s is None or begin <= back_s
        with Video(film) as video:
            try:
                if not is_start:
                    video.seek(begin - (back_s or 0))
            except FFmpegError:
                continue
            frames = video.frames()
            first = next(frames, None)
            if not is_start and (first is None or first[0] > begin):
                continue
            if first is not None and begin <= first[0] < end:
                yield first
            for time, frame in frames:
                if time >= end:
                    return
                if time >= begin:
                    yield time, frame
        return


class Encoder:
    """The video stream of a clip: frames in, packets out, each shown when and how it was."""

    def __init__(
        self, target: OutputContainer, suffix: str, film: Path, source: VideoStream
    ) -> None:
        """Add a stream to `target` that looks as `source` of `film` does."""
        name, options = _VP9 if suffix == ".webm" else _H264
        rate = exact(source.average_rate) or exact(source.guessed_rate) or Fraction(25)
        like = source.codec_context
        self._stream = cast(VideoStream, target.add_stream(name, rate=rate, options=options))
        self._stream.metadata.update(source.metadata)
        self._stream.disposition = source.disposition
        context = self._stream.codec_context
        context.width, context.height = like.width, like.height
        context.pix_fmt = _pix_fmt(name, like.pix_fmt, like.width, like.height)
        ticks = exact(source.time_base) or 1 / rate
        fine = math.lcm(ticks.denominator, _TICKS)
        context.time_base = Fraction(1, fine) if fine <= _MOST_TICKS else ticks
        context.sample_aspect_ratio = exact(source.sample_aspect_ratio) or Fraction(1)
        context.color_range, context.colorspace = like.color_range, like.colorspace
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        if (matrix := display_matrix(film)) is not None:
            self._stream.set_display_matrix(matrix)
        self._frame_s = 1 / rate
        self._ticks = Fraction(context.time_base)
        self.end = Fraction(0)
        """When the last frame that was added ends, in seconds."""

    def add(self, frame: VideoFrame, at: Fraction) -> Iterator[Packet[Stream]]:
        """Add a frame that is shown at `at`, in seconds, and yield what is coded by now."""
        length = (frame.duration or 0) * (exact(frame.time_base) or 0) or self._frame_s
        frame.time_base = self._ticks
        frame.pts, frame.duration = round(at / self._ticks), round(length / self._ticks)
        frame.pict_type = 0  # the encoder chooses its own key pictures
        self.end = at + length
        yield from self._stream.encode(frame)

    def finish(self) -> Iterator[Packet[Stream]]:
        """Yield the rest."""
        yield from self._stream.encode(None)


def _pix_fmt(coder: str, wanted: str | None, width: int, height: int) -> str:
    if wanted in {each.name for each in Codec(coder, "w").video_formats or ()}:
        return wanted or "yuv420p"
    return "yuv444p" if width % 2 or height % 2 else "yuv420p"


def display_matrix(film: Path) -> tuple[int, ...] | None:
    """Return how players turn the pictures of a film; None: they do not.

    Raises:
        FilmError: The film cannot be read.
    """
    with Video(film) as video:
        _, frame = next(video.frames(), (None, None))
        matrix: Any = frame.side_data.get("DISPLAYMATRIX") if frame is not None else None
        return struct.unpack("=9i", bytes(matrix)) if matrix is not None else None
