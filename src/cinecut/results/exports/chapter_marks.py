"""Writes a film's chapters as players and muxers read them: WebVTT, FFmpeg's metadata, Matroska."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cinecut.results import presentation
from cinecut.results.exports.xml_text import xml_text
from cinecut.results.scenes import Results
from cinecut.results.summary import summary_of
from cinecut.text import plain

# FFmpeg's format has a backslash before each of these.
_FF_MARKS: Final = re.compile(r"[=;#\\]")


@dataclass(frozen=True)
class _Mark:
    start_ms: int
    end_ms: int
    title: str


def to_chapters_vtt(results: Results) -> str | None:
    """Return one cue a chapter, for a track of the kind `chapters`; None without a summary."""
    cues = "".join(
        f"{presentation.timecode(mark.start_ms / 1000)} --> "
        f"{presentation.timecode(mark.end_ms / 1000)}\n{html.escape(mark.title, quote=False)}\n\n"
        for mark in _marks(results)
    )
    return f"WEBVTT\n\n{cues}" if cues else None


def to_ffmetadata(results: Results) -> str | None:
    """Return what `ffmpeg -i film.mkv -f ffmetadata -i FILE -map_chapters 1 -c copy` reads.

    None without a summary.
    """
    chapters = "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={mark.start_ms}\nEND={mark.end_ms}\n"
        rf"title={_FF_MARKS.sub(lambda found: chr(92) + found[0], mark.title)}" + "\n"
        for mark in _marks(results)
    )
    return f";FFMETADATA1\n{chapters}" if chapters else None


def to_matroska_xml(results: Results) -> str | None:
    """Return what `mkvmerge` and `mkvpropedit` read as `--chapters`; None without a summary."""
    atoms = "".join(
        "    <ChapterAtom>\n"
        f"      <ChapterTimeStart>{_nanoseconds(mark.start_ms)}</ChapterTimeStart>\n"
        f"      <ChapterTimeEnd>{_nanoseconds(mark.end_ms)}</ChapterTimeEnd>\n"
        "      <ChapterDisplay>\n"
        f"        <ChapterString>{xml_text(mark.title)}</ChapterString>\n"
        "        <ChapterLanguage>und</ChapterLanguage>\n"
        "      </ChapterDisplay>\n"
        "    </ChapterAtom>\n"
        for mark in _marks(results)
    )
    if not atoms:
        return None
    edition = f"  <EditionEntry>\n{atoms}  </EditionEntry>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Chapters>\n{edition}</Chapters>\n'


def _marks(results: Results) -> Iterator[_Mark]:
    """Yield the chapters from 0 on, each until the next; none begins at the film's end or after."""
    summary = summary_of(results)
    if summary is None:
        return
    last_ms = round(results.scenes[-1].keyframe.timestamp_s * 1000)
    film_ms = round((presentation.duration_s(results) or 0) * 1000) or last_ms + 1000
    starts = {round(chapter.start_s * 1000): chapter.title for chapter in summary.chapters[::-1]}
    within = sorted(start for start in starts if start < film_ms)
    for start, end in pairwise([*within, film_ms]):
        yield _Mark(start, end, plain(starts[start]) or "Chapter")


def _nanoseconds(milliseconds: int) -> str:
    return f"{presentation.timecode(milliseconds / 1000)}000000"
