"""Takes out of a subtitle file's text what no parser reads, and counts it: nothing just vanishes.

A parser takes a line whose time it cannot read for words of the line before.
"""

from __future__ import annotations

import re
from typing import Final

_SRT_TIME: Final = re.compile(r"(-?)\b(\d{1,2}:\d{1,2}:\d{1,2}[.,]\d{1,3})")
_VTT_TIME: Final = re.compile(r"(-?)((?:\b\d{1,4}:)?\b\d{2}:\d{2}\.\d{2,3})")
_SYNC: Final = re.compile(r"<sync\b[^>]*>", re.IGNORECASE)
_SYNC_START: Final = re.compile(r"""\bstart\s*=\s*["']?(\d+)(?:ms)?["']?\s*[/>\s]""", re.IGNORECASE)
_EVENT: Final = re.compile(r"\s*(Dialogue|Comment):")
_EVENT_COMMAS: Final = 9
_LINE: Final = {
    "microdvd": re.compile(r"\s*\{\d+\}\{\d+\}"),
    "mpl2": re.compile(r"\s*\[-?\d+\]\[-?\d+\]"),
    "tmp": re.compile(r"\s*\d{1,2}:\d{2}:\d{2}:."),
}


def whole_cues(text: str, form: str) -> tuple[str, int]:
    """Return `text` without the lines of dialogue that are broken, and how many those are.

    Args:
        text: What a subtitle file says.
        form: Its format by pysubs2's name; of one that is not known here nothing is taken out.
    """
    if form in {"srt", "vtt"}:
        return _whole_blocks(text.splitlines(), form)
    if form == "sami":
        return _whole_syncs(text)
    lines = text.splitlines()
    if form in {"ass", "ssa"}:
        broken = [line for line in lines if _EVENT.match(line) and line.count(",") < _EVENT_COMMAS]
        dropped = set(broken)
        return "\n".join(line for line in lines if line not in dropped), len(broken)
    if form in _LINE:
        return text, sum(bool(line.strip()) and not _LINE[form].match(line) for line in lines)
    return text, 0


def _whole_blocks(lines: list[str], form: str) -> tuple[str, int]:
    """Take out cues whose two times are not told by their line of times, with their words."""
    time = _SRT_TIME if form == "srt" else _VTT_TIME
    kept, broken = list[str](), 0
    is_dropped = is_after_times = False
    for number, line in enumerate(lines):
        found = time.findall(line)
        is_whole = len(found) == 2 and not any(sign for sign, _ in found)
        if is_whole:
            broken += is_after_times  # two times in one cue: the first of them has no words
            is_dropped = False
        elif "-->" in line or _lacks_times(lines, number, form):
            broken += 1
            is_dropped = True
        elif not line.strip():
            is_dropped = False
        is_after_times = is_whole
        if not is_dropped:
            kept.append(line)
    return "\n".join(kept), broken


def _lacks_times(lines: list[str], number: int, form: str) -> bool:
    """Whether an SRT cue begins here, by its number, whose line of times is missing."""
    if form != "srt" or not lines[number].strip().isdecimal():
        return False
    before = lines[number - 1].strip() if number else ""
    after = lines[number + 1].strip() if number + 1 < len(lines) else ""
    return not before and bool(after) and "-->" not in after and not _SRT_TIME.search(after)


def _whole_syncs(text: str) -> tuple[str, int]:
    """Take out what SAMI shows from a moment that nobody can read."""
    head, *shown = _SYNC.split(text)
    starts = [_SYNC_START.search(tag) for tag in _SYNC.findall(text)]
    whole = [(start[1], body) for start, body in zip(starts, shown, strict=True) if start]
    clean = (f"<SYNC Start={start}>{body}" for start, body in whole)
    return "".join([head, *clean]), len(shown) - len(whole)
