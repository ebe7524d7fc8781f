"""Tells which subtitle tracks a film has inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from av.container import InputContainer
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream

_TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})


@dataclass(frozen=True)
class SubtitleTrack:
    """One subtitle track inside the film."""

    index: int
    codec: str
    language: str | None
    is_text: bool
    is_default: bool
    is_forced: bool
    is_commentary: bool


def subtitle_tracks(container: InputContainer) -> Sequence[SubtitleTrack]:
    """Return every subtitle track in `container`, in the file's order."""
    return [
        SubtitleTrack(
            index=stream.index,
            codec=_codec_name(stream),
            language=stream.language,
            is_text=_codec_name(stream) in _TEXT_CODECS,
            is_default=bool(stream.disposition & Disposition.default),
            is_forced=bool(stream.disposition & Disposition.forced),
            is_commentary=bool(stream.disposition & Disposition.comment),
        )
        for stream in container.streams.subtitles
    ]


def _codec_name(stream: SubtitleStream) -> str:
    return stream.codec_context.name if stream.codec_context else "unknown"
