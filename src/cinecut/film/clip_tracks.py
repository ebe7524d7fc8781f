"""The tracks of a file that is written out of films: copied, or a subtitle's text converted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from cinecut.errors import UsageError
from cinecut.film.reading.opening import exact
from cinecut.film.subtitle_tracks import LineConverter, can_be_converted

_KINDS: Final = ("audio", "subtitle")


class Tracks:
    """Tracks like those of a film, and of others that are coded alike."""

    def __init__(
        self,
        target: OutputContainer,
        suffix: str,
        video: VideoStream | None,
        others: Sequence[Stream],
    ) -> None:
        """Add a track for each stream of a film that the container can hold.

        Args:
            target: The file.
            suffix: What its name ends with.
            video: The film's video, which is copied; None where somebody else encodes it.
            others: All `others_of` the film.

        Raises:
            UsageError: The container cannot hold the video or the sound.
        """
        self._target, self._suffix = target, suffix
        self._tracks: list[Stream] = []
        self._converters: dict[int, LineConverter] = {}
        self._last: dict[int, int] = {}
        if video is not None:
            self._copy(video)
        self._taken = [number for number, stream in enumerate(others) if self._is_added(stream)]

    def begin(self) -> None:
        """Write the header.

        Raises:
            UsageError: The container cannot hold what is to be in it.
        """
        try:
            self._target.start_encoding()
        except (FFmpegError, ValueError) as error:
            raise self._refusal(error) from error

    def taken_of(self, others: Sequence[Stream]) -> list[Stream]:
        """Return the streams of a film for which there is a track, in the order of the tracks."""
        return [others[number] for number in self._taken]

    def put(self, packet: Packet[Stream], number: int, shift_s: Fraction) -> None:
        """Write a packet of a film, later by `shift_s`, to a track by its number."""
        if (converter := self._converters.get(number)) is not None:
            line = converter.convert(packet)
            if line is None:
                return
            packet = line
        shift = round(shift_s / (exact(packet.time_base) or Fraction(1, av.time_base)))
        track = self._tracks[number]
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        last = self._last.get(number)
        if packet.dts is None and last is not None:  # Matroska does not tell the first ones
            packet.dts = last + 1
        elif packet.dts is not None and last is not None and packet.dts <= last:
            if track.type != "video" or packet.pts is None or last >= packet.pts:
                return  # sound of two pieces that overlaps at the joint
            packet.dts = last + 1
        if packet.dts is not None:
            self._last[number] = packet.dts
        packet.stream = track
        self._target.mux(packet)

    def _is_added(self, stream: Stream) -> bool:
        if stream.type != "subtitle" or stream.name in self._target.supported_codecs:
            self._copy(stream)
        elif can_be_converted(stream, self._suffix):
            converter = LineConverter(self._target, self._suffix, stream)
            self._converters[len(self._tracks)] = converter
            self._append(converter.track, stream)
        else:
            return False
        return True

    def _copy(self, stream: Stream) -> None:
        try:
            self._append(self._target.add_stream_from_template(stream), stream)
        except ValueError as error:
            raise self._refusal(error) from error

    def _append(self, track: Stream, like: Stream) -> None:
        track.metadata.update(like.metadata)
        track.disposition = like.disposition
        self._tracks.append(track)

    def _refusal(self, error: Exception) -> UsageError:
        return UsageError(
            f"A {self._suffix} file cannot hold the film's streams: {error}.",
            tip="Have a Matroska file: --output clip.mkv",
        )


def others_of(source: InputContainer) -> list[Stream]:
    """Return a film's sound and subtitles."""
    return [stream for stream in source.streams if stream.type in _KINDS]


def describe_left_out(source: InputContainer, taken: Sequence[Stream]) -> str:
    """Return what of a film is not taken, such as "2 x attachment"; nothing where all is."""
    kept = {stream.index for stream in taken}
    left = Counter(
        f"{stream.type} ({stream.name})" if stream.type == "subtitle" else stream.type
        for stream in source.streams
        if stream.index not in kept and stream.type != "data"  # chapters and timecodes of MP4
    )
    return ", ".join(f"{count} x {kind}" for kind, count in left.items())
