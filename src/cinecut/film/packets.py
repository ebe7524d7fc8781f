"""Reads the packets of a moment, as they lie in the film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cinecut.errors import FilmError
from cinecut.film.reading.opening import exact, open_container, start_of

_FIRST_STEP_S: Final = 2
_ROUNDED_S: Final = Fraction(1, 2000)


def moment(begin_s: float, end_s: float) -> tuple[Fraction, Fraction]:
    """Return when a moment begins and ends; what is told to the millisecond takes its frame in."""
    return Fraction(begin_s) - _ROUNDED_S, Fraction(end_s) - _ROUNDED_S


def packets_from_key(
    film: Path,
    source: InputContainer,
    video: VideoStream,
    inputs: Sequence[Stream],
    begin_s: float,
    end_s: float,
) -> Iterator[Packet[Stream]]:
    """Yield the packets of a moment, from the last key picture at or before it on.

    Args:
        film: What `source` was opened from; where it cannot be sought it is opened again.
        source: The film's container.
        video: Its video.
        inputs: The streams that are wanted, `video` among them.
        begin_s: In seconds from the film's start.
        end_s: Later than `begin_s`.

    Raises:
        FilmError: The film cannot be opened again, or tells no times.
        av.error.FFmpegError: It cannot be read.
    """
    if source.format.name == "avi" and video.codec_context.has_b_frames:
        raise FilmError(
            film,
            "It does not tell when its pictures are shown, so they cannot be copied.",
            tip="Have them encoded again: --exact",
        )
    start = start_of(source, video)
    begin = start + Fraction(begin_s) + _ROUNDED_S
    end = start + Fraction(end_s) - _ROUNDED_S
    with ExitStack() as stack:
        packets = _from_key(source, video, inputs, begin, start, film, stack)
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
            if key is not None and _is_in(packet, ticks_s, key, end):
                yield packet
            elif key is not None and packet.stream.type == "audio" and at >= end + 10:
                return  # the pictures end before the sound does
            continue
        if key is None:
            key = at
        if at < key:  # it needs pictures from before the key picture
            continue
        # Asked now: whoever writes a packet gives it other times.
        is_last = packet.dts is not None and packet.dts * ticks_s >= end + 1
        if at >= end:  # taken only where a picture of the moment needs it
            late.append(packet)
        else:
            yield from late
            late.clear()
            yield packet
        if is_last:
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


def _is_in(packet: Packet[Stream], ticks_s: Fraction, begin: Fraction, end: Fraction) -> bool:
    """Whether a packet belongs to a moment; a subtitle's line is cut to what is shown in it."""
    at = (packet.pts or 0) * ticks_s
    if packet.stream.type != "subtitle" or not packet.duration:
        return begin <= at < end
    first, last = max(at, begin), min(at + packet.duration * ticks_s, end)
    if first >= last:
        return False
    packet.pts = packet.dts = round(first / ticks_s)
    packet.duration = round((last - first) / ticks_s)
    return True


def others_between(
    source: InputContainer,
    streams: Sequence[Stream],
    start: Fraction,
    begin: Fraction,
    end: Fraction,
) -> Iterator[tuple[Fraction, Packet[Stream]]]:
    """Yield the packets of sound and subtitles that begin in a moment, and when they do.

    Args:
        source: The film's container.
        streams: The streams that are wanted, without any video.
        start: What the clock of their packets says at the film's start, in seconds.
        begin: In seconds from the film's start.
        end: Later than `begin`.

    Raises:
        av.error.FFmpegError: The film cannot be read.
    """
    if not streams:
        return
    if begin > _FIRST_STEP_S:
        source.seek(round((start + begin - _FIRST_STEP_S) * av.time_base))
    for packet in source.demux(list(streams)):
        if packet.pts is None or not packet.size:
            continue
        ticks_s = exact(packet.time_base) or Fraction(1, av.time_base)
        time = packet.pts * ticks_s - start
        if _is_in(packet, ticks_s, start + begin, start + end):
            yield max(time, begin), packet
        elif time >= end + 1:
            return
