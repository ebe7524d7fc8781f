"""Writes a film's chapters as players and muxers read them: WebVTT, FFmpeg's metadata, Matroska."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cinecut.results import presentation
from cinecut.results.scenes import Results
from cinecut.results.summary import summary_of
from cinecut.text import plain

# FFmpeg's format has a backslash before each of these.
_FF_MARKS: Final = re.compile(r"[=;#\\]")
_NO_XML: Final = re.compile("[\x00-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class _Mark:
    start_ms: int
    end_ms: int
    title: str


def to_chapters_vtt(results: Results) -> str:
    """Return one cue a chapter, for a track of the kind `chapters`; none without a summary."""
    return "WEBVTT\n\n" + "".join(
        f"{presentation.timecode(mark.start_ms / 1000)} --> "
        f"{presentation.timecode(mark.end_ms / 1000)}\n{html.escape(mark.title, quote=False)}\n\n"
        for mark in _marks(results)
    )


def to_ffmetadata(results: Results) -> str:
    """Return what `ffmpeg -i film.mkv -f ffmetadata -i FILE -map_chapters 1 -c copy` reads."""
    return ";FFMETADATA1\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={mark.start_ms}\nEND={mark.end_ms}\n"
        rf"title={_FF_MARKS.sub(lambda found: chr(92) + found[0], mark.title)}" + "\n"
        for mark in _marks(results)
    )


def to_matroska_xml(results: Results) -> str:
    """Return what `mkvmerge --chapters` and `mkvpropedit --chapters` read."""
    atoms = "".join(
        "    <ChapterAtom>\n"
        f"      <ChapterTimeStart>{_nanoseconds(mark.start_ms)}</ChapterTimeStart>\n"
        f"      <ChapterTimeEnd>{_nanoseconds(mark.end_ms)}</ChapterTimeEnd>\n"
        "      <ChapterDisplay>\n"
        f"        <ChapterString>{html.escape(mark.title)}</ChapterString>\n"
        "        <ChapterLanguage>und</ChapterLanguage>\n"
        "      </ChapterDisplay>\n"
        "    </ChapterAtom>\n"
        for mark in _marks(results)
    )
    edition = f"  <EditionEntry>\n{atoms}  </EditionEntry>\n" if atoms else ""
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
        title = _NO_XML.sub("", plain(starts[start])) or "Chapter"
        yield _Mark(start, end, title)


def _nanoseconds(milliseconds: int) -> str:
    return f"{presentation.timecode(milliseconds / 1000)}000000"
