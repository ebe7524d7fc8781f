"""What texts mean, as vectors: static embeddings, on the CPU and without a network.

The only door to wordllama, which the `search` extra brings with its weights.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cinecut.errors import SearchIndexError
from cinecut.search.index import PLACES_OF_A_FILM
from cinecut.search.query import full_words

_DIMENSIONS: Final = 256
_LEVELS: Final = 360
"""A vector of length 1 is kept in bytes; its 256 numbers are about 0.06, and below 0.35."""
_LEAST: Final = 0.12
"""Alike by less, as a cosine, are nine of ten texts, and one of twenty paraphrases."""


class Meaning:
    """The embedding model; it is loaded when it is first needed."""

    def __init__(self) -> None:
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> bytes:
        """Return the vectors of `texts`, one after the other, as the index keeps them."""
        levels = np.rint(self._vectors(texts) * _LEVELS)
        return np.clip(levels, -127, 127).astype(np.int8).tobytes()

    def find(
        self,
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
        [wanted] = self._vectors([text])
        rows, likenesses = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for number in films:  # one after the other: all of them may be more than the memory
            scenes, kept = connection.execute(
                "SELECT scenes, vectors FROM films WHERE id = ?", (number,)
            ).fetchone()
            if kept is not None and len(kept) != scenes * _DIMENSIONS:
                raise sqlite3.DatabaseError("A film has vectors of other scenes.")
            vectors = np.frombuffer(kept or b"", np.int8).reshape(-1, _DIMENSIONS)
            alike = vectors.astype(np.float32) @ wanted / _LEVELS
            [at] = np.nonzero(alike >= _LEAST)
            rows.append((number << PLACES_OF_A_FILM) + at)
            likenesses.append(alike[at])
        found, alike = np.concatenate(rows), np.concatenate(likenesses)
        if only is not None:
            counts = np.isin(found, np.asarray(only, np.int64))
            found, alike = found[counts], alike[counts]
        best = np.argsort(-alike, kind="stable")[:limit]
        return [int(row) for row in found[best]]

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length 1 for each text; one of zeros where it has no word."""
        if not texts:
            return np.zeros((0, _DIMENSIONS), np.float32)
        if self._model is None:
            self._model = _load()
        found: NDArray[np.float32] = self._model.embed([full_words(text) for text in texts])
        lengths: NDArray[np.float32] = np.linalg.norm(found, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        return found / lengths


def _load() -> Any:
    import wordllama

    # Its own folder and no download: it would look on the network for a file that lies there.
    home = Path(wordllama.__file__).parent
    try:
        return wordllama.WordLlama.load(cache_dir=home, disable_download=True)
    except (OSError, ValueError) as error:
        raise SearchIndexError(
            "wordllama",
            f"The package that knows what words mean is not whole: {error}",
            check="pip show -f wordllama",
            tip="pip install --force-reinstall wordllama",
        ) from error
