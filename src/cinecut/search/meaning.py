"""Finds scenes by what they mean: those whose vectors point the way of the query's.

Of each vector its signs are looked at first, and only those that have the most in common with the
query's in full.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

import numpy as np

from cinecut.search.embedding import DIMENSIONS, Vectors, embed
from cinecut.search.signs import Signs

_LEVELS: Final = 280
"""A vector of length 1 is kept in bytes; its 256 numbers are about 0.05, and below 0.46."""
_LEAST: Final = 0.15
"""Alike by less, as a cosine, are nine of ten texts, and one of forty paraphrases."""
_LOOKED_AT_IN_FULL: Final = 1000


def to_bytes(vectors: Vectors) -> list[bytes]:
    """Return each of `vectors` as the index keeps it."""
    levels = np.clip(np.rint(vectors * _LEVELS), -127, 127).astype(np.int8)
    return [row.tobytes() for row in levels]


def find_by_meaning(
    connection: sqlite3.Connection,
    signs: Signs,
    text: str,
    films: Sequence[int],
    only: Sequence[int] | None,
    limit: int,
) -> list[int]:
    """Return the rows of scenes that mean about the same as `text`, the best first.

    Args:
        connection: The index, in a transaction.
        signs: Those of the vectors in it.
        text: What is looked for.
        films: Numbers of the films to look in.
        only: The rows that count; None for all of them.
        limit: The most rows to return.
    """
    [wanted] = embed([text])
    near = signs.nearest(connection, wanted, films, only, _LOOKED_AT_IN_FULL)
    alike = _likenesses(connection, wanted, near.tolist())
    return [row for row in sorted(alike, key=lambda row: -alike[row]) if alike[row] >= _LEAST][
        :limit
    ]


def by_meaning(connection: sqlite3.Connection, text: str, rows: Sequence[int]) -> list[int]:
    """Return `rows` in the order of how nearly they mean `text`, the best first."""
    [wanted] = embed([text])
    alike = _likenesses(connection, wanted, rows)
    return sorted(rows, key=lambda row: -alike[row])


def _likenesses(
    connection: sqlite3.Connection, wanted: Vectors, rows: Sequence[int]
) -> dict[int, float]:
    """Return the cosine of each row's vector and `wanted`."""
    found, kept = [], []
    for row, vector in connection.execute(
        "SELECT id, vector FROM vectors WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(rows),),
    ):
        found.append(row)
        kept.append(vector)
    if len(found) != len(rows):
        raise sqlite3.DatabaseError("Scenes have no vectors.")
    vectors = np.frombuffer(b"".join(kept), np.int8).reshape(len(found), DIMENSIONS)
    alike = vectors.astype(np.float32) @ wanted / _LEVELS
    return dict(zip(found, alike.tolist(), strict=True))
