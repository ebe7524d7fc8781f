"""Writes scenes as SRT and WebVTT captions, to play beside the film."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cinecut.results import presentation
from cinecut.results.scenes import Results, Scene
from cinecut.text import printable

READING_COLUMNS_PER_S: Final = 17
"""Reading speed for adults in Netflix's Timed Text Style Guides: 17 characters a second.

Wide characters count as two columns, which gives 8.5 a second; those guides ask for 9 in Chinese.
"""

SHORTEST_S: Final = 5 / 6
"""The shortest that those guides let a caption stand; only the next scene ends one sooner."""

# Most players turn captions into ASS, where braces hold commands and a backslash begins them, and
# neither format can escape those. These look like the originals and are obeyed by nobody.
_ASS_LOOKALIKES: Final = str.maketrans({"{": "❴", "}": "❵", "\\": "∖"})  # noqa: RUF001
# SRT has no escapes at all, and players obey what looks like HTML.
_SRT_LOOKALIKES: Final = str.maketrans({"<": "‹", ">": "›"})  # noqa: RUF001

# Some readers take a line with two clock times in it for a timing line, arrow or not.
_CLOCK_TIME = re.compile(r"(?<=\d):(?=\d\d[:.,]\d)")


class Cue(NamedTuple):
    """What stands beside the film for a while; of `text` players obey nothing."""

    start_ms: int
    end_ms: int
    text: str


def to_srt(results: Results) -> str:
    """Return one caption a described scene; skipped frames show nothing."""
    return "".join(
        f"{number}\n{_srt_time(cue.start_ms)} --> {_srt_time(cue.end_ms)}\n"
        f"{cue.text.translate(_SRT_LOOKALIKES)}\n\n"
        for number, cue in enumerate(_cues(results), 1)
    )


def to_vtt(results: Results) -> str:
    """Return one cue a described scene."""
    return webvtt(_cues(results))


def webvtt(cues: Iterable[Cue], note: str = "") -> str:
    """Return `cues` escaped after W3C's WebVTT, below a line for whoever opens the file."""
    head = f"WEBVTT\n\nNOTE {note}\n\n" if note else "WEBVTT\n\n"
    return head + "".join(
        f"{_vtt_time(cue.start_ms)} --> {_vtt_time(cue.end_ms)}\n"
        f"{html.escape(cue.text, quote=False)}\n\n"
        for cue in cues
    )


def caption_ends_s(results: Results) -> list[float | None]:
    """Return for each scene when its caption goes, in seconds; None where it has none."""
    ends = iter([cue.end_ms / 1000 for cue in _cues(results)])
    return [None if scene.description is None else next(ends) for scene in results.scenes]


def reading_time_s(text: str) -> float:
    """Return how long a caption of `text` has to stand to be read, in seconds."""
    columns = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
    return max(SHORTEST_S, columns / READING_COLUMNS_PER_S)


def obeyed_by_nobody(text: str) -> str:
    """Return `text` on one line, with look-alikes for what a player would take for a command."""
    return _CLOCK_TIME.sub("\N{RATIO}", printable(text)).translate(_ASS_LOOKALIKES)


def _cues(results: Results) -> Iterator[Cue]:
    """Show each scene until it is read, but never into the next shot, described or not."""
    starts_ms = [round(scene.keyframe.timestamp_s * 1000) for scene in results.scenes]
    film_ms = round((presentation.duration_s(results) or 0) * 1000)
    free_ms = 0
    for position, scene in enumerate(results.scenes):
        if scene.description is None:
            continue
        text = _caption(scene)
        # Later than its own time only where two scenes share a millisecond.
        start_ms = max(starts_ms[position], free_ms)
        limits_ms = [start_ms + round(reading_time_s(text) * 1000)]
        limits_ms += starts_ms[position + 1 : position + 2]
        limits_ms += [film_ms] if film_ms > start_ms else []
        free_ms = max(start_ms + 1, min(limits_ms))
        yield Cue(start_ms, free_ms, text)


def _caption(scene: Scene) -> str:
    """Say what is seen and what happens; mood and setting would only lengthen the reading."""
    assert scene.description is not None
    seen, happens = (
        obeyed_by_nobody(text)
        for text in (scene.description.visual_content, scene.description.action)
    )
    # A line of digits alone would be read as the number of the next caption.
    return f"{seen} {happens}" if happens.isdecimal() else f"{seen}\n{happens}"


def _srt_time(milliseconds: int) -> str:
    return presentation.timecode(milliseconds / 1000, ",")


def _vtt_time(milliseconds: int) -> str:
    return presentation.timecode(milliseconds / 1000)
