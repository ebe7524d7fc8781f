"""Finds the word that a misspelt one was meant to be, among those that the films' scenes have."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from typing import Final

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from cinecut.search.embedding import is_word
from cinecut.search.query import Query, in_any_column, plain

_SHORTEST: Final = 4
_LONGEST: Final = 40
_LONG: Final = 8
"""From so many letters on two may be wrong; below it, one."""
_MOST_TRIED: Final = 20

_WORD: Final = re.compile(rf"[^\W\d_]{{{_SHORTEST},{_LONGEST}}}")


def words_in(text: str) -> list[str]:
    """Return the words in `text` that a misspelt one could have been meant to be, as compared."""
    return _WORD.findall(plain(text))


def corrected(connection: sqlite3.Connection, query: Query) -> Query:
    """Return `query` with what is no word as the scenes' word that it is nearest to, if any.

    Letters may be wrong, missing, too many, or swapped with their neighbours (Damerau, 1964). Of
    several words as near the one that is said more often is taken.
    """
    meant = {
        word: _nearest(connection, plain(word)) or word
        for word in query.words
        if _WORD.fullmatch(plain(word)) and not (is_word(word) or _is_known(connection, word))
    }
    return replace(
        query,
        words=tuple(meant.get(word, word) for word in query.words),
        text=" ".join(meant.get(word, word) for word in query.text.split()),
    )


def _nearest(connection: sqlite3.Connection, word: str) -> str | None:
    most = 2 if len(word) >= _LONG else 1
    said = dict(
        connection.execute(
            "SELECT word, said FROM words WHERE length(word) BETWEEN ? AND ?",
            (len(word) - most, len(word) + most),
        )
    )
    near = extract(word, said.keys(), scorer=OSA.distance, score_cutoff=most, limit=None)
    best = sorted((wrong, -said[other], other) for other, wrong, _ in near)
    # A word is kept when the last film that had it is gone.
    return next((each for *_, each in best[:_MOST_TRIED] if _is_known(connection, each)), None)


def _is_known(connection: sqlite3.Connection, word: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM scenes WHERE scenes MATCH ? LIMIT 1", (in_any_column(word),)
    )
    return found.fetchone() is not None
