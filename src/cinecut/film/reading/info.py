"""Tells the facts about a film that its header and its first frame show."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from cinecut.film.identity import FilmIdentity, identify
from cinecut.film.picture.colour import hdr_kind
from cinecut.film.picture.shape import Shape
from cinecut.film.reading.video import Video


@dataclass(frozen=True)
class FilmInfo:
    """What is known about a film before it is scanned."""

    path: Path
    identity: FilmIdentity
    duration_s: float | None
    """Length in seconds as the header tells it; None when it does not."""
    start_s: float
    """What the file's own clock shows where a player shows 0:00, in seconds."""
    width: int
    """Width on the screen, in square pixels, turned upright."""
    height: int
    """Height on the screen, in square pixels, turned upright."""
    frame_rate: float | None
    """Mean frames per second, or None when nobody can tell."""
    codec: str
    pixel_format: str
    bit_depth: int
    """Bits per colour component."""
    hdr: str | None
    """"PQ", "HLG" or "BT.2020" (wide colours alone), or None for an SDR film."""
    is_interlaced: bool


def describe_film(video: Video, first: VideoFrame, shape: Shape) -> FilmInfo:
    """Return the facts about the film in `video`, whose first frame is `first`.

    Raises:
        FilmError: The file cannot be read any more.
    """
    width, height = shape.display
    return FilmInfo(
        path=video.path,
        identity=identify(video.path),
        duration_s=_seconds(video.duration),
        start_s=float(video.start),
        width=width,
        height=height,
        frame_rate=_seconds(video.frame_rate),
        codec=video.codec,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        hdr=hdr_kind(first),
        is_interlaced=first.interlaced_frame,
    )


def _seconds(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def length_s(film: Path) -> float | None:
    """Return the length of `film` in seconds as its header tells it; None when it does not.

    Raises:
        FilmError: The film cannot be read.
    """
    with Video(film) as video:
        return _seconds(video.duration)
