"""What of a film's journal is kept in the index."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cinecut.errors import OutputError
from cinecut.inference.models import ALL_FIELDS
from cinecut.results.presentation import film_name, picture
from cinecut.results.scenes import Results, Scene, read_results
from cinecut.results.summary import summary_of
from cinecut.search.embedding import embed
from cinecut.search.meaning import to_bytes
from cinecut.search.places import Found
from cinecut.search.signs import signs
from cinecut.search.spelling import words_in
from cinecut.text import printable


@dataclass(frozen=True)
class FilmEntry:
    """A film as it is about to stand in the index."""

    found: Found
    digest: bytes
    name: str
    rows: list[tuple[Any, ...]]
    words: Counter[str]
    """How often each word is said."""
    vectors: list[bytes]
    signs: bytes


def film_entry(found: Found, digest: bytes) -> FilmEntry | None:
    """Return what is kept of a journal; None where it cannot be read."""
    try:
        results = read_results(found.folder)
    except OutputError:
        return None
    rows, texts = [], []
    for row, text in _rows(results):
        rows.append(row)
        texts.append(text)
    words = Counter(words_in("\n".join(texts)))
    vectors = embed(texts)
    name = film_name(results.run)
    return FilmEntry(found, digest, name, rows, words, to_bytes(vectors), signs(vectors))


def _rows(results: Results) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield what is kept of each scene and chapter that says something, and all its text."""
    name = film_name(results.run)
    scenes = {scene.index: scene for scene in results.scenes}
    summary = summary_of(results)
    for chapter in summary.chapters if summary else ():
        text = _safe(" ".join([f"{chapter.title}.", *(each.text for each in chapter.text)]))
        texts = [*("" for _ in ALL_FIELDS), "", text]
        yield (*texts, name, *_frame(scenes[chapter.scenes[0]]), "[]"), text
    for scene in results.scenes:
        lines = _lines(scene)
        if not scene.description and not lines:
            continue
        told = [
            _safe(getattr(scene.description, field) or "") if scene.description else ""
            for field in ALL_FIELDS
        ]
        dialogue = " ".join(text for _, _, text in lines)
        spans = json.dumps([(start_s, end_s, len(text)) for start_s, end_s, text in lines])
        yield (
            (*told, dialogue, "", name, *_frame(scene), spans),
            " ".join([*told, dialogue]),
        )


def _frame(scene: Scene) -> tuple[str, float, str | None]:
    keyframe = scene.keyframe
    return _safe(keyframe.source), keyframe.timestamp_s, picture(scene)


def _lines(scene: Scene) -> list[tuple[float, float, str]]:
    """Return the lines that are said, safe to show."""
    return [
        (line.start_s, line.end_s, text) for line in scene.dialogue if (text := _safe(line.text))
    ]


def _safe(text: str) -> str:
    return text if text.isprintable() else printable(text)
