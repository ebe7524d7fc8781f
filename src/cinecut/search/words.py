"""Finds scenes by their words: BM25 over stems, in SQLite's FTS5."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cinecut.search.index import PLACES_OF_A_FILM
from cinecut.search.meaning import by_meaning
from cinecut.search.query import COLUMNS, Query, in_any_column

_WEIGHTS: Final = "bm25(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0)"
"""Of what a scene says each word counts the same, and of the film's name half as much."""
_IN_FILMS: Final = f"rowid >> {PLACES_OF_A_FILM} IN (SELECT value FROM json_each(?))"
_MOST_COUNTED: Final = 20_000
"""Scenes that have a word; more take BM25 a noticeable time."""
_MOST_WEIGHED: Final = 5_000
_BEGIN, _END = "\2", "\3"


def find_by_words(
    connection: sqlite3.Connection, query: Query, films: Sequence[int], limit: int
) -> list[int]:
    """Return the rows of scenes that have some of the words of `query`, the best first.

    Words that very many scenes have do not count, if there are others.
    """
    rare = [word for word in query.words if not _is_frequent(connection, in_any_column(word))]
    if query.words and not rare:
        return []
    return _ranked(connection, replace(query, words=tuple(rare)).expression, films, limit)


def find_all_words(
    connection: sqlite3.Connection, query: Query, films: Sequence[int], limit: int
) -> list[int]:
    """Return the rows of scenes that have all words of `query`, the best first.

    If very many scenes have one of them, what they mean says more about them than the word does,
    and BM25 would count all those scenes: of the first scenes those come first that mean the most.
    """
    if any(_is_frequent(connection, term) for term in (*query.must, *query.terms)):
        rows = connection.execute(
            f"SELECT rowid FROM scenes WHERE scenes MATCH ? AND {_IN_FILMS} LIMIT {_MOST_WEIGHED}",
            (query.all_of_it, json.dumps(films)),
        )
        return by_meaning(connection, query.text, [row for (row,) in rows])[:limit]
    return _ranked(connection, query.all_of_it, films, limit)


def _is_frequent(connection: sqlite3.Connection, term: str) -> bool:
    found = connection.execute(
        f"SELECT 1 FROM scenes WHERE scenes MATCH ? LIMIT 1 OFFSET {_MOST_COUNTED}", (term,)
    )
    return found.fetchone() is not None


def _ranked(
    connection: sqlite3.Connection, expression: str, films: Sequence[int], limit: int
) -> list[int]:
    rows = connection.execute(
        f"SELECT rowid FROM scenes WHERE scenes MATCH ? AND rank MATCH '{_WEIGHTS}' "
        f"AND {_IN_FILMS} ORDER BY rank LIMIT ?",
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
