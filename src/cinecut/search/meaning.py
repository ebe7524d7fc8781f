"""Finds scenes by what they mean: those whose vectors point the way of the query's.

Of each vector its signs are looked at first, 32 bytes, and only those that have the most in common
with the query's in full: random hyperplanes (Charikar, 2002), the axes of the vectors themselves.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinecut.search.embedding import DIMENSIONS, Vectors, embed
from cinecut.search.index import PLACES_OF_A_FILM

_LEVELS: Final = 280
"""A vector of length 1 is kept in bytes; its 256 numbers are about 0.05, and below 0.46."""
_LEAST: Final = 0.15
"""Alike by less, as a cosine, are nine of ten texts, and one of forty paraphrases."""
_LOOKED_AT_IN_FULL: Final = 1000
_NEVER: Final = DIMENSIONS + 1
"""More signs than there are."""
_COMPARED_AT_ONCE: Final = 1 << 20
"""Bytes that the processor's own memory holds."""
_WORD: Final = np.dtype("<u8")


def to_bytes(vectors: Vectors) -> list[bytes]:
    """Return each of `vectors` as the index keeps it."""
    levels = np.clip(np.rint(vectors * _LEVELS), -127, 127).astype(np.int8)
    return [row.tobytes() for row in levels]


def signs(vectors: Vectors) -> bytes:
    """Return the signs of `vectors`, one after the other, as the index keeps them."""
    return np.packbits(vectors > 0, axis=1).tobytes()


def find_by_meaning(
    connection: sqlite3.Connection,
    text: str,
    films: Sequence[int],
    only: Sequence[int] | None,
    limit: int,
) -> list[int]:
    """Return the rows of scenes that mean about the same as `text`, the best first.

    Args:
        connection: The index.
        text: What is looked for.
        films: Numbers of the films to look in.
        only: The rows that count; None for all of them.
        limit: The most rows to return.
    """
    [wanted] = embed([text])
    near = _nearest_by_signs(connection, wanted, films, only)
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


def _nearest_by_signs(
    connection: sqlite3.Connection,
    wanted: Vectors,
    films: Sequence[int],
    only: Sequence[int] | None,
) -> NDArray[np.int64]:
    """Return the rows whose vectors have the most signs of `wanted`."""
    numbers, sizes = [], []

    def read() -> Iterator[bytes]:
        for number, scenes, its_signs in connection.execute(
            "SELECT id, scenes, signs FROM films WHERE id IN (SELECT value FROM json_each(?)) "
            "ORDER BY id",
            (json.dumps(films),),
        ):
            if len(its_signs) * 8 != scenes * DIMENSIONS:
                raise sqlite3.DatabaseError("A film has vectors of other scenes.")
            numbers.append(number)
            sizes.append(scenes)
            yield its_signs

    differing = _differing_bits(read(), signs(wanted[np.newaxis]))
    begins = np.cumsum([0, *sizes])
    if only is not None:
        excluded = np.ones(len(differing), np.bool_)
        excluded[_places_of(np.asarray(only, np.int64), numbers, begins)] = False
        differing[excluded] = _NEVER
    # Sorting two million distances takes longer than counting them.
    up_to = np.cumsum(np.bincount(differing, minlength=_NEVER + 1))[:_NEVER]
    enough = int(np.searchsorted(up_to, _LOOKED_AT_IN_FULL))
    nearer = np.flatnonzero(differing < enough)
    as_near = np.flatnonzero(differing == min(enough, DIMENSIONS))
    places = np.concatenate([nearer, as_near[: _LOOKED_AT_IN_FULL - len(nearer)]])
    film = np.searchsorted(begins, places, side="right") - 1
    found: NDArray[np.int64] = places - begins[film]
    found += np.array(numbers, np.int64)[film] << PLACES_OF_A_FILM
    return found


def _places_of(
    rows: NDArray[np.int64], films: Sequence[int], begins: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where those of `rows` stand that are of `films`, which ascend."""
    numbers = rows >> PLACES_OF_A_FILM
    film = np.searchsorted(films, numbers)
    there = np.append(films, 0)[film] == numbers
    within = rows & ((1 << PLACES_OF_A_FILM) - 1)
    found: NDArray[np.int64] = (begins[film] + within)[there]
    return found


def _differing_bits(parts: Iterable[bytes], wanted: bytes) -> NDArray[np.uint16]:
    """Return for each vector how many of its signs differ from those of `wanted`."""
    found = [np.zeros(0, np.uint16)]
    waiting: list[bytes] = []
    target = np.frombuffer(wanted, _WORD)

    def compare() -> None:
        found.append(
            _bits(np.frombuffer(b"".join(waiting), _WORD).reshape(-1, len(target)) ^ target)
        )

    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= _COMPARED_AT_ONCE:
            compare()
            waiting.clear()
    compare()
    return np.concatenate(found)


def _bits(words: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return how many bits are set in each row."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts = np.bitwise_count(words)
    else:
        counts = np.unpackbits(words.view(np.uint8), axis=1)
    bits = np.zeros(len(words), np.uint16)
    for column in counts.T:  # several times as fast as a sum over rows of four
        bits += column
    return bits
