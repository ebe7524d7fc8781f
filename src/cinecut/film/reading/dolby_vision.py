"""Tells of films in Dolby Vision that have no picture for other screens underneath."""

from __future__ import annotations

import io
import re
from typing import Final

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

_CODECS: Final = frozenset({"hevc", "av1"})
# In Matroska: the record's name, which ends its type, then the element that holds the record.
_RECORD: Final = re.compile(rb"dv[cvw]C\x41\xed\x98(.{24})", re.DOTALL)
_WITHOUT_BASE: Final = frozenset({(5, 0), (10, 0), (20, 0)})


def remark_on_colours(stream: VideoStream) -> str | None:
    """Return what to say of `stream` if its colours are Dolby Vision's own; None for others."""
    record = _record_of(stream)
    if record is None:
        return None
    profile, compatible_with = record[2] >> 1, record[4] >> 4
    if (profile, compatible_with) not in _WITHOUT_BASE:
        return None
    return (
        f"It is in Dolby Vision, profile {profile}, whose colours come out green and purple here. "
        "Make a film in ordinary colours of it first, with an ffmpeg that has libplacebo: "
        "ffmpeg -i FILM -vf libplacebo=colorspace=bt709:color_primaries=bt709:color_trc=bt709:"
        "format=yuv420p NEW.mp4"
    )


def _record_of(stream: VideoStream) -> bytes | None:
    """Return the Dolby Vision configuration record of `stream`.

    PyAV shows no side data of a stream. So FFmpeg writes the header of a film with such a stream,
    in one format whatever the film's, and that is looked at.
    """
    if stream.codec_context.name not in _CODECS:
        return None
    header = io.BytesIO()
    try:
        with av.open(header, "w", format="matroska") as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
            found = _RECORD.search(header.getvalue())
    except (FFmpegError, ValueError):
        return None
    return found[1] if found else None
