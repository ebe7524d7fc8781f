"""Copies moments out of films, packet by packet: nothing is encoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cinecut.errors import FilmError, UsageError
from cinecut.film.reading.opening import exact, open_container, pick_stream, start_of

FORMATS: Final = {
    ".mkv": "matroska",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".webm": "webm",
    ".ts": "mpegts",
}
"""The containers that can be written, by the suffix of a file's name."""

_FIRST_STEP_S: Final = 2
_KINDS: Final = ("audio", "subtitle")


@dataclass(frozen=True)
class Piece:
    """A moment of a film, in seconds from its start."""

    film: Path
    begin_s: float
    end_s: float


def copy_pieces(pieces: Sequence[Piece], file: BinaryIO, suffix: str) -> None:
    """Write `pieces` one after the other into `file`, each from the key picture before it.

    All sound is taken along, and the subtitles that the container can hold.

    Args:
        pieces: One at least.
        file: Where to, as a container that may go back in it.
        suffix: One of `FORMATS`.

    Raises:
        FilmError: A film cannot be read.
        UsageError: The films are coded differently, or the container cannot hold them.
        OSError: `file` cannot be written.
    """
    reel: _Reel | None = None
    with av.open(file, "w", format=FORMATS[suffix]) as target:
        for piece in pieces:
            with open_container(piece.film) as source:
                video = pick_stream(piece.film, source)
                others = [stream for stream in source.streams if stream.type in _KINDS]
                if reel is None:
                    reel = _Reel(target, suffix, video, others)
                try:
                    reel.add(piece, source, video, others)
                except FFmpegError as error:
                    # What the disk says comes as an OSError of Python's, from the file.
                    raise FilmError(piece.film, f"FFmpeg cannot copy it: {error}.") from error


class _Reel:
    """What is being written."""

    def __init__(
        self, target: OutputContainer, suffix: str, video: VideoStream, others: Sequence[Stream]
    ) -> None:
        self._target = target
        self._like = _coding(video, others)
        self._taken = [
            number
            for number, stream in enumerate(others)
            if stream.type != "subtitle" or stream.name in target.supported_codecs
        ]
        try:
            self._streams = [
                _added(target, stream) for stream in (video, *(others[n] for n in self._taken))
            ]
        except ValueError as error:
            raise UsageError(
                f"A {suffix} file cannot hold the film's streams: {error}.",
                tip="Have a Matroska file: --output clip.mkv",
            ) from error
        self._at = Fraction(0)
        self._last: dict[int, int] = {}

    def add(
        self, piece: Piece, source: InputContainer, video: VideoStream, others: Sequence[Stream]
    ) -> None:
        """Append a piece of a film that is coded as the first one."""
        if _coding(video, others) != self._like:
            raise UsageError(
                f"{piece.film.name} is coded in another way than the first film.",
                tip="Cut them one by one: each film into a file of its own.",
            )
        inputs = [video, *(others[number] for number in self._taken)]
        places = {stream.index: number for number, stream in enumerate(inputs)}
        begin: Fraction | None = None
        ends = self._at
        for packet in _packets(piece, source, video, inputs):
            time_base = exact(packet.time_base) or Fraction(1, av.time_base)
            number = places[packet.stream.index]
            if begin is None:  # the key picture comes first
                begin = (packet.pts or 0) * time_base
            shift = round((self._at - begin) / time_base)
            pts, dts = packet.pts, packet.dts
            packet.pts = None if pts is None else pts + shift
            packet.dts = None if dts is None else dts + shift
            if number == 0 and packet.pts is not None:
                ends = max(ends, (packet.pts + (packet.duration or 0)) * time_base)
            last = self._last.get(number)
            if packet.dts is None and last is not None:  # Matroska does not tell the first ones
                packet.dts = last + 1
            elif packet.dts is not None and last is not None and packet.dts <= last:
                if number or packet.pts is None or last >= packet.pts:
                    continue  # sound of two pieces that overlaps at the joint
                packet.dts = last + 1
            if packet.dts is not None:
                self._last[number] = packet.dts
            packet.stream = self._streams[number]
            self._target.mux(packet)
        if begin is None:
            raise FilmError(piece.film, "There is no picture in this moment that can be copied.")
        self._at = ends


def _packets(
    piece: Piece, source: InputContainer, video: VideoStream, inputs: Sequence[Stream]
) -> Iterator[Packet[Stream]]:
    """Yield the packets of a piece, the key picture first."""
    start = start_of(source, video)
    begin, end = (start + Fraction(at_s) for at_s in (piece.begin_s, piece.end_s))
    with ExitStack() as stack:
        packets = _from_key(source, video, inputs, begin, start, piece.film, stack)
        yield from _within(packets, video, end)


def _within(
    held: Iterator[Packet[Stream]], video: VideoStream, end: Fraction
) -> Iterator[Packet[Stream]]:
    """Yield what belongs to the moment; of the pictures after it those that it needs."""
    time_base = exact(video.time_base) or Fraction(1, 1000)
    key: Fraction | None = None
    late: list[Packet[Stream]] = []
    for packet in held:
        ticks_s = exact(packet.time_base) or time_base
        if packet.pts is None:
            continue
        at = packet.pts * ticks_s
        if packet.stream.index != video.index:
            if key is not None and key <= at < end:
                yield packet
            elif key is not None and packet.stream.type == "audio" and at >= end + 10:
                return  # the pictures end before the sound does
            continue
        if key is None:
            key = at
        if at < key:  # it needs pictures from before the key picture
            continue
        if at >= end:  # taken only where a picture of the moment needs it
            late.append(packet)
        else:
            yield from late
            late.clear()
            yield packet
        if packet.dts is not None and packet.dts * ticks_s >= end + 1:
            return


def _from_key(
    source: InputContainer,
    video: VideoStream,
    inputs: Sequence[Stream],
    begin: Fraction,
    start: Fraction,
    film: Path,
    stack: ExitStack,
) -> Iterator[Packet[Stream]]:
    """Yield all packets from the last key picture at or before `begin` on, it first."""
    time_base = exact(video.time_base) or Fraction(1, 1000)
    step = 0
    while True:
        is_all = begin - step <= start
        if is_all:  # some containers cannot be sought for their own start
            source = stack.enter_context(open_container(film))
            inputs = [source.streams[stream.index] for stream in inputs]
        else:
            source.seek(round((begin - step) / time_base), stream=video)
        packets = source.demux(list(inputs))
        key: Packet[Stream] | None = None
        before: list[Packet[Stream]] = []
        after: list[Packet[Stream]] = []
        for packet in packets:
            if packet.stream.index != video.index:
                (before if key is None else after).append(packet)
                continue
            at = None if packet.pts is None else packet.pts * time_base
            is_first = key is None and is_all
            if packet.is_keyframe and at is not None and (at <= begin or is_first):
                others = [p for p in (*before, *after) if p.stream.index != video.index]
                key, before, after = packet, others, []
            elif key is not None:
                after.append(packet)
            stamp = None if packet.dts is None else packet.dts * time_base
            if stamp is not None and stamp > begin and (key is not None or not is_all):
                break
        if key is not None or is_all:
            break
        step = step * 2 or _FIRST_STEP_S
    if key is not None:
        yield key
        yield from before
        yield from after
        yield from packets


def _added(target: OutputContainer, stream: Stream) -> Stream:
    added: Stream = target.add_stream_from_template(stream)
    added.metadata.update(stream.metadata)
    added.disposition = stream.disposition
    return added


def _coding(video: VideoStream, others: Sequence[Stream]) -> list[tuple[object, ...]]:
    """Return what must be the same in films whose packets follow each other in a file."""
    picture = video.codec_context
    told: list[tuple[object, ...]] = [
        (picture.name, picture.width, picture.height, picture.pix_fmt, picture.extradata)
    ]
    for stream in others:
        sound = stream.codec_context
        rate = getattr(sound, "sample_rate", None)
        told.append((stream.type, sound.name if sound else None, rate))
    return told
