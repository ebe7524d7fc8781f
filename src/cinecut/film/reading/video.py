"""Opens a film and decodes it: frames with their exact time, whatever the damage."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from cinecut.film.reading.clock import Clock
from cinecut.film.reading.hardware import Hardware, HardwareDecoder
from cinecut.film.reading.opening import exact, first_moment, open_container, pick_stream, start_of
from cinecut.film.reading.patience import packets_of
from cinecut.film.reading.timeline import Part, Timeline
from cinecut.film.reading.tracks import SubtitleTrack, subtitle_tracks

_FAILED_READS_MAX = 64
# AVFMT_TS_DISCONT in libavformat/avformat.h.
_TIMES_MAY_JUMP = 0x0200
# A packet that was cut short by a joint is one of the last before it.
_CUT_SHORT = 2


@dataclass
class Damage:
    """What could not be read so far."""

    count: int = 0
    """Packets and frames that were unreadable or came out broken."""


class Video:
    """The film's video stream: the one that players pick. A context manager."""

    def __init__(
        self,
        film: Path,
        *,
        hardware: Hardware | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open `film` and find its video stream.

        With `hardware` it is decoded there, for those who read it once from its begin.

        Raises:
            FilmError: There is no such file, it cannot be read, or it holds no video.
        """
        self.path = film
        self.damage = Damage()
        self._is_cancelled = is_cancelled
        self._hardware = HardwareDecoder(hardware, film) if hardware else None
        self._container = open_container(film)
        try:
            self.stream = pick_stream(film, self._container)
            self._is_avi = self._container.format.name == "avi"
            self.start = (
                first_moment(film) if self._is_avi else start_of(self._container, self.stream)
            )
        except BaseException:
            self._container.close()
            raise
        self.stream.thread_type = "AUTO"
        self.clock = self._new_clock()
        self.timeline = self._new_timeline()
        self._last_ticks = 0
        self._number = self._joints = 0
        self._corrupt: deque[int] = deque(maxlen=_CUT_SHORT)
        """The packets that came damaged last, by their number."""
        self._parts: dict[int, Part | None] = {}
        """Where the key pictures lie that were read, by their ticks, in a format with joints."""
        self._followed: tuple[Stream, Callable[[Packet[Stream]], None]] | None = None

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the decoder and the file; closing twice is fine."""
        # PyAV ends a decoder's threads when the last object that holds it goes.
        vars(self).pop("stream", None)
        container = vars(self).pop("_container", None)
        if container is not None:
            container.close()

    @property
    def may_have_joints(self) -> bool:
        """Whether this is a recording as broadcast or on a DVD: its clock may jump anywhere."""
        return bool(self._container.format.flags & _TIMES_MAY_JUMP)

    @property
    def duration(self) -> Fraction | None:
        """Length in seconds as the file's header tells it, or None when it does not.

        Of a joined recording it is wrong: nobody knows before it was read to its end.
        """
        if self._container.duration is None or self._container.duration <= 0:
            return None
        return Fraction(self._container.duration, av.time_base)

    @property
    def end(self) -> Fraction:
        """Where the film ends in seconds, as far as it was read and decoded."""
        return max(self.clock.end, self._last_ticks * self._time_base - self.start)

    def measured_duration(self) -> Fraction:
        """Return the film's length, from a look at every packet where the header cannot tell."""
        if self.duration is not None and not self.may_have_joints:
            return self.duration
        with Video(self.path, is_cancelled=self._is_cancelled) as again:
            for _ in again._packets(key_pictures_only=False):
                pass
            return again.end or Fraction(1)

    @property
    def frame_rate(self) -> Fraction | None:
        """Mean frames per second, or None when nobody can tell."""
        return exact(self.stream.average_rate) or exact(self.stream.guessed_rate)

    @property
    def start_timecode(self) -> str | None:
        """The timecode of the first frame as a camera or an editor has noted it, if one has."""
        noted = self.stream.metadata.get("timecode") or self._container.metadata.get("timecode")
        return noted or None

    @property
    def sample_aspect(self) -> Fraction:
        """Width of a pixel divided by its height; 1 where the film does not say."""
        return exact(self.stream.sample_aspect_ratio) or Fraction(1)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the video's codec, such as "h264"."""
        return self.stream.codec_context.codec.canonical_name

    @property
    def subtitle_tracks(self) -> Sequence[SubtitleTrack]:
        """Every subtitle track of the film, in the file's order."""
        return subtitle_tracks(self._container)

    def follow(self, track: SubtitleTrack, on_packet: Callable[[Packet[Stream]], None]) -> None:
        """Hand each packet of `track` to `on_packet` as the film is read."""
        stream = next(s for s in self._container.streams if s.index == track.index)
        self._followed = stream, on_packet

    def frames(self, *, key_pictures_only: bool = False) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decode from where the film stands: (seconds from the film's start, frame), in order.

        With `key_pictures_only`, nothing but the stream's key pictures is decoded. (An AVI
        has no time stamps: there everything is decoded, and the key pictures are passed on.)
        """
        skips = key_pictures_only and not self._is_avi
        self.stream.codec_context.skip_frame = "NONKEY" if skips else "DEFAULT"
        for frame in self._decoded(self._packets(key_pictures_only=skips)):
            if frame.is_corrupt:
                self.damage.count += 1
            time = self.clock.time_of(frame)
            if time is not None and (frame.key_frame or not key_pictures_only):
                yield time, frame

    @property
    def notice(self) -> str | None:
        """What the user should know of how the film was decoded."""
        return self._hardware.notice if self._hardware else None

    def _decoded(self, packets: Iterator[Packet[Stream] | None]) -> Iterator[VideoFrame]:
        if self._hardware is None:
            return self._in_software(packets)
        return self._hardware.frames(packets, self.stream.codec_context, self._in_software)

    def _in_software(self, packets: Iterator[Packet[Stream] | None]) -> Iterator[VideoFrame]:
        decoder = self.stream.codec_context
        for packet in packets:
            try:
                frames = decoder.decode(packet)
            except FFmpegError as error:
                if isinstance(error, BlockingIOError) and not decoder.is_open:
                    raise  # it gets no threads, which is no fault of the film
                self.damage.count += 1
                continue
            yield from frames

    def seek(self, time: Fraction) -> None:
        """Go to the last key picture at or before `time`, as far as the file's index knows.

        Raises:
            av.error.FFmpegError: The file cannot be sought in.
        """
        ticks = int((time + self.start) / self._time_base)
        self._container.seek(ticks, stream=self.stream, backward=True)
        self.stream.codec_context.flush_buffers()
        self.clock = self._new_clock()
        self._stay_in(None)

    def part_at(self, time: Fraction) -> Part | None:
        """Return where the key picture shown at `time` lies, in a format that may have joints.

        There a time cannot be sought: the file may have it several times.
        """
        return self._parts.get(round((time + self.start) / self._time_base))

    def go_to(self, part: Part) -> None:
        """Go to the packet that lies there.

        Raises:
            av.error.FFmpegError: The file cannot be sought in.
        """
        self._container.seek(part.position_bytes, unsupported_byte_offset=True)
        self.stream.codec_context.flush_buffers()
        self.clock = self._new_clock()
        self._stay_in(part)

    @property
    def _time_base(self) -> Fraction:
        return exact(self.stream.time_base) or Fraction(1, av.time_base)

    def _new_clock(self) -> Clock:
        return Clock(
            self._time_base,
            self.start,
            self.frame_rate,
            self.duration,
            counts_decoding=self._is_avi,
        )

    def _stay_in(self, part: Part | None) -> None:
        self.timeline = self._new_timeline()
        self._joints = 0
        self.timeline.stay_in(part)

    def _new_timeline(self) -> Timeline:
        frame_s = 1 / self.frame_rate if self.frame_rate else Fraction(1, 25)
        return Timeline(self._time_base, round(frame_s / self._time_base))

    def _packets(self, *, key_pictures_only: bool) -> Iterator[Packet[Stream] | None]:
        """Yield the video's packets, then None, on which the decoder gives out its rest."""
        failures = 0
        while failures < _FAILED_READS_MAX:
            try:
                for packet in self._read():
                    if self._is_cancelled():
                        return
                    failures = 0
                    self._last_ticks = max(self._last_ticks, packet.pts or 0)
                    if packet.is_keyframe or not key_pictures_only:
                        yield packet
                break
            except FFmpegError:
                failures += 1
                self.damage.count += 1
            except IndexError:  # PyAV, on a packet of a stream that began after the header
                continue
        yield None

    def _read(self) -> Iterator[Packet[Stream]]:
        """Yield the video's packets on the film's one time; the followed track's go their way."""
        followed, on_packet = self._followed or (None, None)
        streams = [self.stream] if followed is None else [self.stream, followed]
        for packet in packets_of(self.path, self._container, streams):
            if packet.stream is followed and on_packet is not None:
                self.timeline.shift(packet)
                on_packet(packet)
            elif self.may_have_joints:
                yield from map(self._noted, self.timeline.add(packet))
            else:
                yield self._noted(packet)
        yield from map(self._noted, self.timeline.finish())

    def _noted(self, packet: Packet[Stream]) -> Packet[Stream]:
        """Count a packet that is damaged, but for those that a joint has cut short."""
        self._number += 1
        if self.timeline.joints > self._joints:
            self._joints = self.timeline.joints
            self.damage.count -= sum(self._number - at <= _CUT_SHORT for at in self._corrupt)
        elif packet.is_corrupt:
            self._corrupt.append(self._number)
            self.damage.count += 1
        if self.may_have_joints:
            part = self.timeline.part_of(packet)  # of a DVD's packets few tell their place
            if packet.is_keyframe and packet.pts is not None:
                self._parts[packet.pts] = part
        return packet
