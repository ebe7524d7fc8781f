"""Opens a film file: its container, the stream that is the film, and where its time begins."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from cinecut.errors import FilmError
from cinecut.files import open_file
from cinecut.film.discs import parts_of
from cinecut.film.reading.joined import JoinedFile
from cinecut.film.reading.listed import check_listed
from cinecut.film.reading.patience import STALL_S, stalled
from cinecut.film.sources import instead_of_file, instead_of_folder, lists_the_network

av.logging.set_level(None)  # FFmpeg's own lines would tear the progress line apart

_NEVER_THE_FILM = Disposition.attached_pic | Disposition.timed_thumbnails


def open_container(film: Path, hardware: HWAccel | None = None) -> InputContainer:
    """Return the opened container of `film`; its decoders are for `hardware` where that has them.

    Raises:
        FilmError: It is no file, cannot be read, or is no film.
    """
    try:
        with open_file(film) as file:
            is_empty = not file.read(1)
        check_listed(film)
        parts = parts_of(film)
        joined = JoinedFile(parts) if len(parts) > 1 else None
    except IsADirectoryError as error:
        reason, tip = instead_of_folder(film)
        raise FilmError(film, reason, tip=tip) from error
    except OSError as error:
        raise FilmError(film, error.strerror or str(error)) from error
    except ValueError as error:  # a null character in the name
        raise FilmError(film, str(error)) from error
    if is_empty:
        raise FilmError(film, "The file is empty.")
    if lists_the_network(film):  # FFmpeg would try again and again until the stall limit
        raise no_film(film, "It is a playlist of the network.")
    # The prefix keeps a name such as "concat:a" a name; the white list keeps a playlist
    # that calls itself a film from opening network addresses.
    name = f"file:{os.fspath(film.absolute())}"
    try:
        container = av.open(
            joined or name,
            "r",
            options={"protocol_whitelist": "file"},
            timeout=(STALL_S, STALL_S),
            hwaccel=hardware,
        )
    except UnicodeEncodeError as error:
        raise FilmError(film, "Its name holds bytes that are not UTF-8.") from error
    except ExitError as error:
        raise stalled(film) from error
    except (FFmpegError, ValueError) as error:
        raise no_film(film, _reason(film, error)) from error
    if container.format.name == "tty":  # FFmpeg shows any text file as a terminal's screen
        container.close()
        raise FilmError(film, "It is a text file.")
    return container


def no_film(film: Path, reason: str) -> FilmError:
    """Return the error for a file in which no film was found, with what to give instead."""
    instead = instead_of_file(film)
    return FilmError(film, instead.reason, tip=instead.tip) if instead else FilmError(film, reason)


def _reason(film: Path, error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error)
    with open_file(film) as file:
        is_mp4 = file.read(12)[4:8] == b"ftyp"
    if is_mp4 and isinstance(error, av.error.InvalidDataError):
        return "The MP4 file is unfinished or damaged: its index (moov) cannot be read."
    return f"FFmpeg finds no film in it: {said}."


def pick_stream(film: Path, container: InputContainer) -> VideoStream:
    """Return the video stream flagged default, else the first: players do the same.

    Raises:
        FilmError: There is none, or none that can be decoded.
    """
    videos = [s for s in container.streams.video if not s.disposition & _NEVER_THE_FILM]
    if not videos:
        what = "only a cover picture" if container.streams.video else "no video stream"
        raise FilmError(film, f"There is {what} in it.")
    stream = next((s for s in videos if s.disposition & Disposition.default), videos[0])
    if stream.codec_context is None:
        raise FilmError(film, "This build of FFmpeg has no decoder for its video.")
    return stream


def start_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the moment that a player shows as 0:00, in seconds of the film's own clock.

    That is where the earliest stream starts, or where the video does when it starts before
    zero: sound that starts before zero is only the encoder's lead-in.
    """
    start = max(Fraction(container.start_time or 0, av.time_base), Fraction(0))
    time_base = exact(stream.time_base)
    if stream.start_time is None or time_base is None:
        return start
    return min(start, stream.start_time * time_base)


def first_moment(film: Path) -> Fraction:
    """Return the first time stamp of an AVI, which stands for 0:00: the decoder's delay."""
    with open_container(film) as container:
        stream = pick_stream(film, container)
        packet = next(container.demux(stream), None)
        ticks = packet.pts if packet is not None else None
        return (ticks or 0) * (exact(stream.time_base) or Fraction(0))


class _Ratio(Protocol):
    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def exact(ratio: _Ratio | None) -> Fraction | None:
    """Return an exact `ratio`, or None for FFmpeg's "unknown", which is none or zero."""
    if ratio is None or not ratio.numerator or not ratio.denominator:
        return None
    return Fraction(ratio.numerator, ratio.denominator)
