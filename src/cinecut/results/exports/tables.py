"""Writes scenes as JSON and CSV, for programs and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cinecut.inference.models import FIELDS
from cinecut.results import presentation
from cinecut.results.scenes import Results, Scene, remarks, shown_beside, spoken
from cinecut.results.summary import chapter_at, summary_of
from cinecut.text import printable

JSON_VERSION: Final = 1
"""Grows when a reader of the JSON export would have to change; see scenes.schema.json."""


CSV_COLUMNS: Final = (
    "index",
    "timecode",
    "timestamp_s",
    "source",
    *FIELDS,
    "skipped",
    "skip_detail",
    "picture",
    "elapsed_s",
    "same_as",
    "dialogue",
    "part",
    "chapter",
)

ON_SCREEN_COLUMN: Final = "on_screen_text"
"""The last column, where any scene was asked for it."""


def to_json(results: Results) -> str:
    """Return all of `results` as one JSON object that follows scenes.schema.json."""
    run, summary = results.run, summary_of(results)
    document = {
        "format": "cinecut.scenes",
        "version": JSON_VERSION,
        "film": presentation.shareable(run.film),
        "model": presentation.shareable(run.model),
        "settings": presentation.shareable(run.settings),
        "details": presentation.shareable(run.details),
        "finished": run.finished,
        "unreadable_lines": results.unreadable_lines,
        "summary": summary.model_dump(mode="json") if summary else None,
        "scenes": [_scene_object(scene) for scene in results.scenes],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def to_csv(results: Results) -> str:
    """Return one row a scene, skipped ones too, after RFC 4180 and safe in a spreadsheet."""
    summary = summary_of(results)
    shown = [scene.description.text if scene.description else None for scene in results.scenes]
    has_text = any(text is not None for text in shown)
    rows = (
        [
            *_row(scene),
            chapter_at(summary, scene.keyframe.timestamp_s) or "",
            *([formula_safe(text or "")] if has_text else []),
        ]
        for scene, text in zip(results.scenes, shown, strict=True)
    )
    return csv_text([*CSV_COLUMNS, *([ON_SCREEN_COLUMN] if has_text else [])], rows)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str | int | float]]) -> str:
    """Return a table after RFC 4180; its texts have gone through `formula_safe`.

    It begins with a byte order mark: without one Excel reads UTF-8 as the system's old code page
    and spoils every accent without a word, and a CSV is for people with a spreadsheet. Programs
    read it as `utf-8-sig`, or take the JSON.
    """
    text = io.StringIO("\N{ZERO WIDTH NO-BREAK SPACE}")
    text.seek(0, io.SEEK_END)
    # Every text in quotes: spreadsheets split bare fields at semicolons and tabs as well.
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def formula_safe(text: str) -> str:
    """Return `text` on one line, so marked that no spreadsheet takes it for a formula.

    An apostrophe before `=`, `+`, `-` or `@`, full-width and small forms included, is what OWASP's
    page on CSV injection asks for. It stands after a semicolon as well, because Excel splits
    there, quotes or not, where the comma is the decimal sign.
    """
    return re.sub(r"(?:^|;)(?=[\s\"]*(.))", _guard, printable(text))


def _guard(match: re.Match[str]) -> str:
    # NFKC folds the full-width and the small forms, which East Asian spreadsheets accept.
    first = unicodedata.normalize("NFKC", match.group(1))[:1]
    return f"{match.group()}'" if first in {"=", "+", "-", "@"} else match.group()


def _row(scene: Scene) -> list[str | int | float]:
    description = scene.description.model_dump() if scene.description else {}
    texts = [formula_safe(description.get(name, "")) for name in FIELDS]
    skipped = scene.skipped
    return [
        scene.index,
        presentation.timecode(scene.keyframe.timestamp_s),
        round(scene.keyframe.timestamp_s, 3),
        formula_safe(scene.keyframe.source),
        *texts,
        formula_safe(skipped.reason) if skipped else "",
        formula_safe(skipped.detail) if skipped else "",
        formula_safe(presentation.picture(scene) or ""),
        round(scene.elapsed_s, 3),
        "" if scene.same_as is None else scene.same_as,
        formula_safe(" / ".join(line.text for line in scene.dialogue)),
        "" if scene.part is None else scene.part,
    ]


def _scene_object(scene: Scene) -> dict[str, Any]:
    return {
        "index": scene.index,
        "timestamp_s": scene.keyframe.timestamp_s,
        "timecode": presentation.timecode(scene.keyframe.timestamp_s),
        "source": scene.keyframe.source,
        "picture": presentation.picture(scene),
        "description": scene.description.model_dump() if scene.description else None,
        "skipped": {"reason": scene.skipped.reason, "detail": scene.skipped.detail}
        if scene.skipped
        else None,
        "elapsed_s": round(scene.elapsed_s, 3),
        "same_as": scene.same_as,
        "part": scene.part,
        **remarks(scene),
        **spoken(scene),
        **shown_beside(scene),
    }
