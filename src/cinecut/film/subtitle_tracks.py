"""Puts a film's subtitle lines into another container, as the kind of text that it holds."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from av.codec import Codec
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

if TYPE_CHECKING:
    from av.subtitles.stream import SubtitleStream

_TEXT: Final = {
    ".mkv": "subrip",
    ".mp4": "mov_text",
    ".m4v": "mov_text",
    ".mov": "mov_text",
    ".webm": "webvtt",
}
"""The text subtitles that a file can hold, by the suffix of its name."""


def can_be_converted(stream: Stream, suffix: str) -> bool:
    """Say whether the lines of a subtitle stream can be put into a file of this suffix as text."""
    name = stream.codec_context.name if stream.codec_context else None
    with suppress(ValueError):  # a codec that FFmpeg cannot read
        return suffix in _TEXT and name is not None and Codec(name, "r").text_sub
    return False


class LineConverter:
    """Makes of each packet of a film's text subtitles one of another kind; styles may be lost."""

    def __init__(self, target: OutputContainer, suffix: str, like: Stream) -> None:
        """Add the track; `like` is one that `can_be_converted`, of the first film."""
        decoder = cast("SubtitleStream", like).codec_context
        decoder.open(strict=False)
        self.track = cast("SubtitleStream", target.add_stream(_TEXT[suffix]))
        self.track.codec_context.subtitle_header = decoder.subtitle_header
        self.track.codec_context.time_base = like.time_base or Fraction(1, 1000)

    def convert(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """Return the line in a packet, at the packet's times; None where there is none."""
        try:
            lines = cast("SubtitleStream", packet.stream).decode2(packet)
            if not lines:
                return None
            converted = self.track.codec_context.encode_subtitle(lines)
        except FFmpegError:  # one damaged line costs no other
            return None
        converted.pts, converted.dts = packet.pts, packet.dts
        converted.duration, converted.time_base = packet.duration, packet.time_base
        return converted
