"""The signs of the vectors of all scenes: 32 bytes each, compared with a query's all at once.

Random hyperplanes (Charikar, 2002), the axes of the vectors themselves.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cinecut.search.embedding import DIMENSIONS, Vectors
from cinecut.search.index import PLACES_OF_A_FILM

_WORD: Final = np.dtype("<u8")
_WORDS: Final = DIMENSIONS // 64
_NEVER: Final = DIMENSIONS + 1
"""More signs than there are."""
_COMPARED_AT_ONCE: Final = 1 << 15
"""Scenes of which the processor's own memory holds a word each."""


def signs(vectors: Vectors) -> bytes:
    """Return the signs of `vectors`, one after the other, as the index keeps them."""
    return np.packbits(vectors > 0, axis=1).tobytes()


class Signs:
    """The signs in an index, kept from one query to the next while nobody writes to it.

    They lie word by word, shape (4, scenes): comparing is three times as fast as scene by scene.
    """

    def __init__(self) -> None:
        self._state: tuple[Any, ...] = ()
        self._words = np.zeros((_WORDS, 0), _WORD)
        self._begins = np.zeros(1, np.int64)
        """Where the scenes of each film begin, and where those of the last end."""

    def nearest(
        self,
        connection: sqlite3.Connection,
        wanted: Vectors,
        films: Sequence[int],
        only: Sequence[int] | None,
        limit: int,
    ) -> NDArray[np.int64]:
        """Return the rows whose vectors have the most signs of `wanted`.

        Args:
            connection: The index, in a transaction.
            wanted: The query's vector.
            films: Numbers of the films to look in.
            only: The rows that count; None for all of them.
            limit: The most rows to return.
        """
        films = sorted(films)
        self._read(connection, films)
        differing = self._differing(np.frombuffer(signs(wanted[np.newaxis]), _WORD))
        if only is not None:
            excluded = np.ones(len(differing), np.bool_)
            excluded[self._places_of(np.asarray(only, np.int64), films)] = False
            differing[excluded] = _NEVER
        # Sorting two million distances takes longer than counting them.
        up_to = np.cumsum(np.bincount(differing, minlength=_NEVER + 1))[:_NEVER]
        enough = int(np.searchsorted(up_to, limit))
        nearer = np.flatnonzero(differing < enough)
        as_near = np.flatnonzero(differing == min(enough, DIMENSIONS))
        places = np.concatenate([nearer, as_near[: limit - len(nearer)]])
        film = np.searchsorted(self._begins, places, side="right") - 1
        found: NDArray[np.int64] = places - self._begins[film]
        found += np.array(films, np.int64)[film] << PLACES_OF_A_FILM
        return found

    def _read(self, connection: sqlite3.Connection, films: list[int]) -> None:
        [[written_by_others]] = connection.execute("PRAGMA data_version")
        state = (connection, written_by_others, connection.total_changes, films)
        if self._state == state:
            return
        self._state = ()
        among = "FROM films WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        sizes = [n for (n,) in connection.execute(f"SELECT scenes {among}", (json.dumps(films),))]
        self._begins = np.cumsum([0, *sizes])
        self._words = np.zeros((_WORDS, int(self._begins[-1])), _WORD)
        rows = connection.execute(f"SELECT signs {among}", (json.dumps(films),))
        for (its_signs,), begin, size in zip(rows, self._begins, sizes, strict=False):
            if len(its_signs) * 8 != size * DIMENSIONS:
                raise sqlite3.DatabaseError("A film has vectors of other scenes.")
            its_words = np.frombuffer(its_signs, _WORD).reshape(-1, _WORDS)
            self._words[:, begin : begin + size] = its_words.T
        self._state = state

    def _differing(self, wanted: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """Return for each vector how many of its signs differ from those of `wanted`."""
        differing = np.zeros(self._words.shape[1], np.uint16)
        for begin in range(0, len(differing), _COMPARED_AT_ONCE):
            part = slice(begin, begin + _COMPARED_AT_ONCE)
            for words, word in zip(self._words, wanted, strict=True):
                differing[part] += _bits(words[part] ^ word)
        return differing

    def _places_of(self, rows: NDArray[np.int64], films: Sequence[int]) -> NDArray[np.int64]:
        """Return where those of `rows` stand that are of `films`, which ascend."""
        numbers = rows >> PLACES_OF_A_FILM
        film = np.searchsorted(films, numbers)
        there = np.append(films, 0)[film] == numbers
        within = rows & ((1 << PLACES_OF_A_FILM) - 1)
        found: NDArray[np.int64] = (self._begins[film] + within)[there]
        return found


def _bits(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return how many bits are set in each of `words`."""
    counts: NDArray[np.uint8]
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts = np.bitwise_count(words)
    else:
        counts = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).sum(axis=1, dtype=np.uint8)
    return counts
