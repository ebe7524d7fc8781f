"""Writes excerpts as CSV, for spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cinecut.excerpts.spans import Excerpt
from cinecut.results.exports.tables import ON_SCREEN_COLUMN, csv_text, formula_safe
from cinecut.results.presentation import timecode

COLUMNS: Final = (
    *("film", "timecode", "timestamp_s", "begin_s", "end_s", "source"),
    *("visual_content", "mood", "action", "setting"),
    *("picture", "score", "dialogue", "chapter", "results"),
)


def to_csv(excerpts: Sequence[Excerpt]) -> str:
    """Return one row an excerpt, as the export of a film's scenes has them."""
    shown = [(each.hit.description or {}).get("text", "") for each in excerpts]
    if not any(shown):
        return csv_text(COLUMNS, map(_row, excerpts))
    rows = ([*_row(each), formula_safe(text)] for each, text in zip(excerpts, shown, strict=True))
    return csv_text([*COLUMNS, ON_SCREEN_COLUMN], rows)


def _row(excerpt: Excerpt) -> list[str | int | float]:
    hit = excerpt.hit
    told = hit.description or {}
    return [
        formula_safe(hit.film),
        timecode(hit.timestamp_s),
        round(hit.timestamp_s, 3),
        round(excerpt.begin_s, 3),
        round(excerpt.end_s, 3),
        formula_safe(hit.source),
        *(formula_safe(told.get(name, "")) for name in COLUMNS[6:10]),
        formula_safe(str(hit.frame_path or "")),
        round(hit.score, 6),
        formula_safe(" / ".join(line.text for line in hit.dialogue)),
        formula_safe(hit.chapter or ""),
        formula_safe(str(hit.folder)),
    ]
