"""Finds the word that a misspelt one was meant to be, among those that the films' scenes have."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cinecut.search.index import TOKENIZER
from cinecut.search.query import Query

_SHORTEST: Final = 4
_LONG: Final = 8
"""From so many letters on two may be wrong; below it, one."""


def corrected(connection: sqlite3.Connection, query: Query) -> Query:
    """Return `query` with each word that no scene has as the stem that it is nearest to, if any.

    Of several as near the one that more scenes have is taken. Its text stays as it was typed.
    """
    near = {}
    for word, stem in _stems(query.words):
        known = connection.execute("SELECT 1 FROM terms WHERE term = ?", (stem,)).fetchone()
        if not known and len(stem) >= _SHORTEST and (term := _nearest(connection, stem)):
            near[word] = term
    return replace(query, words=tuple(near.get(word, word) for word in query.words))


def _nearest(connection: sqlite3.Connection, stem: str) -> str | None:
    most = 2 if len(stem) >= _LONG else 1
    terms = connection.execute(
        "SELECT term, doc FROM terms WHERE length(term) BETWEEN ? AND ?",
        (len(stem) - most, len(stem) + most),
    )
    near = ((wrong_letters(stem, term, most), -scenes, term) for term, scenes in terms)
    wrong, _, term = min(near, default=(most + 1, 0, ""))
    return term if wrong <= most else None


def wrong_letters(word: str, other: str, most: int) -> int:
    """Return how many letters must be put in, left out or changed to make one the other.

    More than `most` is told as one more.
    """
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        before, row[0] = row[0], at
        for column, its in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (letter != its)),
            )
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def _stems(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return the words that are one word to FTS5, with their stems: only it knows how it stems."""
    single = [word for word in words if word.isalpha()]
    scratch = sqlite3.connect(":memory:")
    try:
        scratch.execute(f"CREATE VIRTUAL TABLE said USING fts5(word, tokenize = '{TOKENIZER}')")
        scratch.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(said, instance)")
        scratch.executemany("INSERT INTO said(rowid, word) VALUES (?, ?)", enumerate(single))
        return [(single[at], stem) for at, stem in scratch.execute("SELECT doc, term FROM terms")]
    finally:
        scratch.close()
