"""Cuts moments out of films: packets are copied, and pictures encoded again only if asked for."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import av
from av import VideoFrame
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cinecut.errors import FilmError, UsageError
from cinecut.film.clip_tracks import Tracks, describe_left_out, others_of
from cinecut.film.packets import moment, others_between, packets_from_key
from cinecut.film.reading.opening import exact, open_container, pick_stream, start_of
from cinecut.film.recoding import Encoder, display_matrix, frames_between

if TYPE_CHECKING:
    from av.container.core import Chapter

FORMATS: Final = {
    ".mkv": "matroska",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".webm": "webm",
    ".ts": "mpegts",
}
"""The containers that can be written, by the suffix of a file's name."""


@dataclass(frozen=True)
class Piece:
    """A moment of a film, in seconds from its start."""

    film: Path
    begin_s: float
    end_s: float


def cut_pieces(
    pieces: Sequence[Piece],
    file: BinaryIO,
    suffix: str,
    tell: Callable[[str], None],
    *,
    is_exact: bool = False,
) -> None:
    """Write `pieces` one after the other into `file`.

    Each is copied from the key picture before it on; where `is_exact`, its pictures are encoded
    again and it begins and ends with its own. All sound is copied, from the first packet on that
    begins in the piece, and so are chapters and subtitles; text is converted where the container
    holds another kind.

    Args:
        pieces: One at least.
        file: Where to, as a container that may go back in it.
        suffix: One of `FORMATS`.
        tell: Takes what of the first film is not taken along, if anything.
        is_exact: Whether pictures that nobody asked for may not be in it.

    Raises:
        FilmError: A film cannot be read.
        UsageError: The films are coded differently, or the container cannot hold them.
        OSError: `file` cannot be written.
    """
    writer = _Writer(file)
    try:
        _write(pieces, writer, suffix, tell, is_exact=is_exact)
    except Exception as error:
        if writer.failure is not None:
            raise writer.failure from error
        raise


class _Writer:
    """A file for FFmpeg, which forgets what was wrong with it when it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.failure: BaseException | None = None

    def write(self, content: bytes) -> int:
        """Write, and keep what the disk says, or that somebody pressed Ctrl-C meanwhile."""
        try:
            return self._file.write(content)
        except BaseException as error:
            self.failure = self.failure or error
            raise


def _write(
    pieces: Sequence[Piece],
    writer: _Writer,
    suffix: str,
    tell: Callable[[str], None],
    *,
    is_exact: bool,
) -> None:
    reel: _Reel | None = None
    with av.open(writer, "w", format=FORMATS[suffix]) as target:
        for piece in pieces:
            with open_container(piece.film) as source:
                video = pick_stream(piece.film, source)
                others = others_of(source)
                try:
                    if reel is None:
                        coder = Encoder(target, suffix, piece.film, video) if is_exact else None
                        reel = _Reel(target, suffix, piece.film, source, video, coder, tell)
                    reel.add(piece, source, video, others)
                except FFmpegError as error:
                    raise FilmError(piece.film, f"FFmpeg cannot cut it: {error}.") from error
        if reel is not None:
            reel.finish()


class _Reel:
    """What is being written."""

    def __init__(
        self,
        target: OutputContainer,
        suffix: str,
        film: Path,
        source: InputContainer,
        video: VideoStream,
        encoder: Encoder | None,
        tell: Callable[[str], None],
    ) -> None:
        """Begin a file with tracks like those of the first film, and its title."""
        self._target, self._encoder = target, encoder
        others = others_of(source)
        self._like = _coding(film, video, others, is_exact=encoder is not None)
        self._tracks = Tracks(target, suffix, None if encoder else video, others)
        told = describe_left_out(source, [video, *self._tracks.taken_of(others)])
        if told:
            tell(f"Not taken along from {film.name}: {told}.")
        target.metadata.update(_title(source))
        self._tracks.begin()
        self._at = Fraction(0)
        self._chapters: list[Chapter] = []

    def add(
        self, piece: Piece, source: InputContainer, video: VideoStream, others: Sequence[Stream]
    ) -> None:
        """Append a piece of a film that is coded as the first one."""
        if _coding(piece.film, video, others, is_exact=self._encoder is not None) != self._like:
            raise UsageError(
                f"{piece.film.name} is coded in another way than the first film.",
                tip="Cut them one by one, each film into a file of its own; "
                "of films of one size and with the same kind of sound: --exact",
            )
        taken = self._tracks.taken_of(others)
        chapters = source.chapters()
        if self._encoder is None:
            begin, end = self._copy(piece, source, video, taken)
        else:
            begin, end = self._recode(self._encoder, piece, source, video, taken)
        if begin is None:
            raise FilmError(piece.film, "There is no picture in this moment that can be copied.")
        self._chapters += _clipped(chapters, begin, begin + end - self._at, self._at)
        self._at = end

    def finish(self) -> None:
        """Write what is still held."""
        for packet in self._encoder.finish() if self._encoder is not None else ():
            self._target.mux(packet)
        self._target.set_chapters(self._chapters)

    def _copy(
        self, piece: Piece, source: InputContainer, video: VideoStream, taken: Sequence[Stream]
    ) -> tuple[Fraction | None, Fraction]:
        """Append packets; return when the first picture is shown in the film, and when they end."""
        places = {stream.index: at for at, stream in enumerate((video, *taken))}
        begin: Fraction | None = None
        ends = self._at
        inputs, bounds = (video, *taken), (piece.begin_s, piece.end_s)
        for packet in packets_from_key(piece.film, source, video, inputs, *bounds):
            time_base = exact(packet.time_base) or Fraction(1, av.time_base)
            if begin is None:  # the key picture comes first
                begin = (packet.pts or 0) * time_base
            if places[packet.stream.index] == 0 and packet.pts is not None:
                until = (packet.pts + (packet.duration or 0)) * time_base
                ends = max(ends, until + self._at - begin)
            self._tracks.put(packet, places[packet.stream.index], self._at - begin)
        return begin, ends

    def _recode(
        self,
        encoder: Encoder,
        piece: Piece,
        source: InputContainer,
        video: VideoStream,
        taken: Sequence[Stream],
    ) -> tuple[Fraction | None, Fraction]:
        """As `_copy`, with the pictures encoded again."""
        places = {stream.index: at for at, stream in enumerate(taken)}
        # Of an AVI, whose packets have no times, the video's first one is the decoder's delay.
        start = Fraction(0) if source.format.name == "avi" else start_of(source, video)
        begin, end = moment(piece.begin_s, piece.end_s)
        frames = frames_between(piece.film, begin, end)
        first = next(frames, None)
        if first is None:
            return None, self._at
        shift = self._at - first[0]
        sounds = others_between(source, taken, start, first[0], end)
        pictures: Iterator[tuple[Fraction, VideoFrame | Packet[Stream]]] = chain((first,), frames)
        for time, each in heapq.merge(pictures, sounds, key=itemgetter(0)):
            if isinstance(each, VideoFrame):
                for packet in encoder.add(each, time + shift):
                    self._target.mux(packet)
            else:
                self._tracks.put(each, places[each.stream.index], shift - start)
        return first[0] + start, encoder.end


def _title(source: InputContainer) -> dict[str, str]:
    return {key: text for key, text in source.metadata.items() if key.lower() == "title"}


def _clipped(
    chapters: Sequence[Chapter], begin: Fraction, end: Fraction, at: Fraction
) -> Iterator[Chapter]:
    """Yield what lies between two moments of the chapters, the first moment moved to `at`."""
    for chapter in chapters:
        ticks_s = exact(chapter["time_base"]) or Fraction(1, av.time_base)
        bounds = (chapter["start"] * ticks_s, chapter["end"] * ticks_s)
        first, last = (round((min(max(t, begin), end) - begin + at) * 1000) for t in bounds)
        if first < last:
            yield {
                "id": 0,
                "start": first,
                "end": last,
                "time_base": Fraction(1, 1000),
                "metadata": chapter["metadata"],
            }


def _coding(
    film: Path, video: VideoStream, others: Sequence[Stream], *, is_exact: bool
) -> list[tuple[object, ...]]:
    """Return what must be the same in films that follow each other in a file."""
    picture = video.codec_context
    told: list[tuple[object, ...]] = [(picture.width, picture.height, display_matrix(film))]
    if is_exact:
        told.append((exact(video.sample_aspect_ratio) or Fraction(1),))
    else:
        told.append((picture.name, picture.pix_fmt, picture.extradata))
    for stream in others:
        sound = stream.codec_context
        rate, channels = (getattr(sound, fact, None) for fact in ("sample_rate", "channels"))
        told.append((stream.type, sound.name if sound else None, rate, channels))
    return told
