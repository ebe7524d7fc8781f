"""Finds scenes by their words: BM25 over stems, in SQLite's FTS5."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from cinecut.search.index import PLACES_OF_A_FILM
from cinecut.search.query import COLUMNS, Query

_WEIGHTS: Final = "bm25(1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0)"
"""Of what a scene says each word counts the same, and of the film's name half as much."""
_BEGIN, _END = "\2", "\3"


def find_by_words(
    connection: sqlite3.Connection, query: Query, films: Sequence[int], limit: int
) -> list[int]:
    """Return the rows of scenes that have some of the words of `query`, the best first."""
    return _ranked(connection, query.expression, films, limit)


def find_all_words(
    connection: sqlite3.Connection, query: Query, films: Sequence[int], limit: int
) -> list[int]:
    """Return the rows of scenes that have all words of `query`, the best first."""
    return _ranked(connection, query.all_of_it, films, limit)


def _ranked(
    connection: sqlite3.Connection, expression: str, films: Sequence[int], limit: int
) -> list[int]:
    rows = connection.execute(
        f"SELECT rowid FROM scenes WHERE scenes MATCH ? AND rank MATCH '{_WEIGHTS}' "
        f"AND rowid >> {PLACES_OF_A_FILM} IN (SELECT value FROM json_each(?)) "
        "ORDER BY rank LIMIT ?",
        (expression, json.dumps(films), limit),
    )
    return [row for (row,) in rows]


def fulfilling(connection: sqlite3.Connection, condition: str) -> list[int]:
    """Return the rows of all scenes that fulfil a query's condition, in ascending order."""
    rows = connection.execute(
        "SELECT rowid FROM scenes WHERE scenes MATCH ? ORDER BY rowid", (condition,)
    )
    return [row for (row,) in rows]


def marks_in(
    connection: sqlite3.Connection, query: Query, row: int
) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """Return where words of `query` stand in a scene, by column."""
    marked = [f"highlight(scenes, {at}, '{_BEGIN}', '{_END}')" for at in range(len(COLUMNS))]
    found = connection.execute(
        f"SELECT {', '.join(marked)} FROM scenes WHERE scenes MATCH ? AND rowid = ?",
        (" OR ".join((*query.must, *query.terms)), row),
    ).fetchone()
    spans = {name: _spans(text) for name, text in zip(COLUMNS.values(), found or (), strict=False)}
    return {name: each for name, each in spans.items() if each}


def _spans(marked: str) -> tuple[tuple[int, int], ...]:
    spans, at = [], 0
    for part in marked.split(_BEGIN)[:1]:
        at += len(part)
    for part in marked.split(_BEGIN)[1:]:
        inside, _, after = part.partition(_END)
        spans.append((at, at + len(inside)))
        at += len(inside) + len(after)
    return tuple(spans)
