"""Makes the JPEGs: frames as a player shows them, and smaller ones for a model."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from cinecut.film.picture.colour import jpeg_colour_filters
from cinecut.film.picture.filters import FilterChain, Filters
from cinecut.film.picture.shape import Shape
from cinecut.models import KEYFRAME_SHORT_SIDE_PX

# The quantiser of FFmpeg's mjpeg encoder, 1 (best) to 31; 3 shows no blocks.
_QUANTISER = 3
# Of the deinterlacers this one looks at a single frame, and a keyframe has no other.
_DEINTERLACE = (("estdif", "mode=frame:deint=all"),)
_TIME_BASE = Fraction(1, 1000)
# What hardware gives; FFmpeg has other ways from these to other colours than from a film's own.
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}


class PictureMaker:
    """Turns decoded frames into JPEGs: upright, square pixels, SDR, progressive."""

    def __init__(self, film_shape: Shape) -> None:
        """Take the shape of the film's first frame; only the coded size may change later."""
        self._film_shape = film_shape
        self._chain: tuple[object, FilterChain] | None = None

    def jpeg(self, frame: VideoFrame) -> bytes:
        """Return `frame` as a JPEG whose short side is at most `KEYFRAME_SHORT_SIDE_PX`.

        Raises:
            av.error.FFmpegError: FFmpeg cannot convert the frame.
        """
        if planar := _PLANAR.get(frame.format.name):
            frame = frame.reformat(format=planar)
        shape = replace(self._film_shape, width=frame.width, height=frame.height)
        kind = (
            shape,
            frame.format.name,
            frame.interlaced_frame,
            frame.color_trc,
            frame.color_primaries,
            frame.colorspace,
            frame.color_range,
        )
        if self._chain is None or self._chain[0] != kind:
            with jpeg_colour_filters(frame) as colours:
                self._chain = kind, FilterChain(frame, _filters(shape, colours))
        if frame.interlaced_frame:
            frame = FilterChain(frame, _DEINTERLACE).last(frame)
        return encode_jpeg(self._chain[1](frame))


def _filters(shape: Shape, colours: Filters) -> Filters:
    width, height = shape.fitted(KEYFRAME_SHORT_SIDE_PX)
    return (
        ("scale", f"{width}:{height}:interl=0:flags=bicubic+accurate_rnd+full_chroma_int"),
        *colours,
        *shape.upright_filters(),
    )


def encode_jpeg(picture: VideoFrame) -> bytes:
    """Return a full-range `picture` as a JPEG of good quality."""
    encoder = av.CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError(encoder)
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = picture.format.name
    encoder.time_base = _TIME_BASE
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = _QUANTISER
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def decode_jpeg(picture: bytes) -> VideoFrame:
    """Return the JPEG `picture` as a frame.

    Raises:
        ValueError: It is none.
        av.error.FFmpegError: It cannot be decoded.
    """
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    frames = list(decoder.decode(av.Packet(picture)))
    if not frames or not isinstance(frames[0], VideoFrame):
        raise ValueError("no picture")
    return frames[0]


def fit_jpeg(picture: bytes, long_side_px: int) -> bytes:
    """Return the JPEG `picture` scaled down so that its long side is at most `long_side_px`.

    It comes back unchanged when it is small enough already or cannot be decoded. May be
    called from any number of threads at once. What is scaled has colours as fine as its light: at
    this size a model would see the difference, and JPEG decoders fill the gaps in their own ways.
    """
    try:
        frame = decode_jpeg(picture)
        long_side = max(frame.width, frame.height)
        if long_side <= long_side_px:
            return picture
        width, height = (
            max(1, round(side * long_side_px / long_side)) for side in (frame.width, frame.height)
        )
        scale = ("scale", f"{width}:{height}:flags=lanczos+accurate_rnd+full_chroma_int")
        return encode_jpeg(FilterChain(frame, (scale, ("format", "yuvj444p")))(frame))
    except (FFmpegError, ValueError):
        return picture
