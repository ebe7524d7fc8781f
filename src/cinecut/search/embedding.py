"""Turns texts into vectors that lie near each other where the texts mean about the same.

A static embedding (Tulkens and van Dongen, Model2Vec, 2024): a vector for each word or piece of a
word, as `scripts/distil_meaning` has made them, and the mean of its words' for a text. On the CPU,
without a network, some ten thousand texts a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cinecut.search.query import EMPTY_WORDS, plain

DIMENSIONS: Final = 256
"""Numbers of a vector."""

_FILE: Final = "meaning.npz"
Vectors = NDArray[np.float32]
"""Of shape (number, DIMENSIONS)."""

_AT_ONCE: Final = 4096
"""Texts: the vectors of their words are made once, a kilobyte each."""
_SUMMED_AT_ONCE: Final = 512
"""Vectors that the processor's own memory holds."""
_LONGEST_WORD: Final = 64
_WORD: Final = re.compile(r"[^\W_]+")


class _Model(NamedTuple):
    rows: Mapping[str, int]
    """Of a word, or of a `##piece` inside one."""
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]
    """What a row's numbers are to be multiplied by."""


class BagOfWords:
    """Texts as the words that they are made of, each word's vector once."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Take the texts; words that no vector is known for are left out."""
        words = [words_of(text) for text in texts]
        known = {word: _known_pieces(word) for word in set(chain.from_iterable(words))}
        pieces = {word: its_pieces for word, its_pieces in known.items() if its_pieces}
        row_of = {word: row for row, word in enumerate(pieces)}
        rows = [[row_of[word] for word in each if word in row_of] for each in words]
        self._rows = np.array([*chain.from_iterable(rows)], np.intp)
        self._counts = np.array([len(each) for each in rows], np.intp)
        self.words = _sums(
            _vectors,
            np.array([*chain.from_iterable(pieces.values())], np.intp),
            np.array([len(each) for each in pieces.values()], np.intp),
        )
        """A row for each distinct word."""

    def means(self) -> Vectors:
        """Return a row of length 1 for each text; one of zeros where it has no known word."""
        return of_length_1(_sums(self.words.__getitem__, self._rows, self._counts))

    def nearest_words(self, wanted: Vectors) -> Vectors:
        """Return for each text and each row of `wanted` the cosine of the word nearest to it.

        0 where the text has no known word.
        """
        alike = of_length_1(self.words) @ of_length_1(wanted).T
        return _by_text(np.maximum, alike[self._rows], self._counts)


def embed(texts: Sequence[str]) -> Vectors:
    """Return a row of length 1 for each text; one of zeros where it has no known word."""
    parts = [
        BagOfWords(texts[begin : begin + _AT_ONCE]).means()
        for begin in range(0, len(texts), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, DIMENSIONS), np.float32)


def of_length_1(vectors: Vectors) -> Vectors:
    """Return rows of length 1 that point where those of `vectors` do; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    found: Vectors = vectors / lengths
    return found


def is_word(word: str) -> bool:
    """Say whether `word` is one of the common words, most of them English."""
    return plain(word) in _model().rows


def words_of(text: str) -> list[str]:
    """Return the words that a text's meaning is made of.

    Those of the language alone count if there are no others.
    """
    words = _WORD.findall(plain(text))
    return [word for word in words if word not in EMPTY_WORDS] or words


def pieces_of(word: str, rows: Mapping[str, int]) -> tuple[int, ...]:
    """Return the rows of the longest pieces that make a word, from its begin on (WordPiece).

    Nothing where there is a part that no piece fits.
    """
    pieces, begin = [], 0
    while begin < len(word) <= _LONGEST_WORD:
        mark = "##" if begin else ""
        ends = range(len(word), begin, -1)
        end = next((end for end in ends if mark + word[begin:end] in rows), None)
        if end is None:
            return ()
        pieces.append(rows[mark + word[begin:end]])
        begin = end
    return tuple(pieces)


def _by_text(operation: np.ufunc, rows: Vectors, counts: NDArray[np.intp]) -> Vectors:
    """Return for each text what `operation` makes of so many of `rows`; zeros for none."""
    found = np.zeros((len(counts), rows.shape[1]), np.float32)
    told = np.flatnonzero(counts)
    if len(told):
        found[told] = operation.reduceat(rows, np.cumsum(counts)[told] - counts[told])
    return found


def _sums(
    vectors: Callable[[NDArray[np.intp]], Vectors],
    rows: NDArray[np.intp],
    counts: NDArray[np.intp],
) -> Vectors:
    """Return for each text the sum of `vectors` of so many of `rows`; zeros for none."""
    ends = np.cumsum(counts)
    at_once = 1 + _SUMMED_AT_ONCE * len(counts) // (1 + len(rows))
    sums = [np.zeros((0, DIMENSIONS), np.float32)]
    for begin in range(0, len(counts), at_once):
        its_counts = counts[begin : begin + at_once]
        first = ends[begin] - its_counts[0]
        its_rows = rows[first : first + its_counts.sum()]
        sums.append(_by_text(np.add, vectors(its_rows), its_counts))
    return np.concatenate(sums)


def _vectors(rows: NDArray[np.intp]) -> Vectors:
    model = _model()
    return model.vectors[rows] * model.scales[rows, np.newaxis]


@lru_cache(maxsize=1 << 17)
def _known_pieces(word: str) -> tuple[int, ...]:
    return pieces_of(word, _model().rows)


@cache
def _model() -> _Model:
    with np.load(BytesIO((files("cinecut.search") / _FILE).read_bytes())) as kept:
        pieces = bytes(kept["pieces"]).decode().split("\n")
        rows = {piece: row for row, piece in enumerate(pieces)}
        return _Model(rows, kept["vectors"], kept["scales"])
