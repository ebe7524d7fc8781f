"""Writes clips as an edit decision list, CMX 3600: what every editor's program reads."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from cinecut.excerpts.clips import Clip
from cinecut.excerpts.timecode import Timebase
from cinecut.results.presentation import ON_SCREEN_LABEL
from cinecut.text import printable

_REEL_CHARS: Final = 8
_TITLE_CHARS: Final = 70
_RECORDS_FROM: Final = "01:00:00:00"
_NO_REELS: Final = frozenset({"", "AX", "BL", "BLACK", "BARS"})
"""Names that say that there is no tape."""
_NAMED: Final = 3


def to_edl(clips: Sequence[Clip], title: str, on_notice: Callable[[str], None]) -> str:
    """Return one event a clip, one after the other from an hour on.

    A list has one frame rate: the one that most clips have, of equally many the first. Timecodes
    of films that have another one count that one's frames too.
    """
    timebase = _commonest(clips)
    _tell(clips, timebase, on_notice)
    mode = "DROP FRAME" if timebase.is_drop else "NON-DROP FRAME"
    lines = [f"TITLE: {printable(title)[:_TITLE_CHARS].strip() or 'CineCut'}", f"FCM: {mode}", ""]
    record = timebase.frame_at(_RECORDS_FROM) or 0
    reels = reel_names([clip.film for clip in clips])
    for number, clip in enumerate(clips, 1):
        begin, end = clip.frames(timebase)
        ends = record + end - begin
        times = " ".join(map(timebase.timecode, (begin, end, record, ends)))
        record = ends
        lines += [
            f"{number:03}  {reels[clip.film]:{_REEL_CHARS}} V     C        {times}",
            f"* FROM CLIP NAME: {printable(clip.film.name)}",
            *(f"* {name}: {text}" for name, text in _told(clip)),
        ]
    return "\n".join(lines) + "\n"


def reel_names(films: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each film: eight capitals and digits at the most, and no two the same."""
    names: dict[Path, str] = {}
    for film in films:
        if film not in names:
            names[film] = _reel_name(film.stem, set(names.values()))
    return names


def rate_text(rate: Fraction) -> str:
    """Return a rate as editors call it: `23.976`, `25`, `29.97`."""
    return f"{float(rate):.5g}"


def _commonest(clips: Sequence[Clip]) -> Timebase:
    counted = Counter(clip.timebase for clip in clips).most_common(1)
    return counted[0][0] if counted else Timebase(Fraction(25), is_drop=False)


def _tell(clips: Sequence[Clip], timebase: Timebase, on_notice: Callable[[str], None]) -> None:
    """Say whose frames are not counted one by one."""
    others = {clip.film: clip.film.name for clip in clips if clip.timebase != timebase}
    if others:
        names = ", ".join([*others.values()][:_NAMED])
        more = f" and {len(others) - _NAMED} more" * (len(others) > _NAMED)
        on_notice(
            f"An EDL has one frame rate, here {rate_text(timebase.rate)} a second, "
            f"which {names}{more} {'have' if len(others) > 1 else 'has'} not: "
            "an OTIO file has each film's own."
        )


def _told(clip: Clip) -> list[tuple[str, str]]:
    hit = clip.excerpt.hit
    names = {
        **{"visual_content": "SCENE", "chapter": "CHAPTER", "dialogue": "DIALOGUE"},
        "text": ON_SCREEN_LABEL.upper(),
    }
    texts = hit.texts
    return [(names[name], printable(text)) for name, text in texts.items() if name in names]


def _reel_name(stem: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().upper()
    name = re.sub(r"[^A-Z0-9]", "", plain)[:_REEL_CHARS]
    name = "REEL" if name in _NO_REELS else name
    number = 1
    full = name
    while full in taken:
        number += 1
        full = f"{name[: _REEL_CHARS - len(str(number))]}{number}"
    return full
