"""Says how unlike two shots are: by the colours of their pictures, and by the words on them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cinecut.models import THUMB_PX, DialogueLine

Levels = npt.NDArray[np.floating[Any]]
"""Distances between pictures in levels of 255, or what they are taken between."""

_CHROMA_WEIGHT: Final = 2  # skies, skins and lamps differ by few levels, and tell places apart
_AT_ONCE: Final = 1024  # pictures: a few MiB on the way
_QUANTILES: Final = 16
_BLOCKS: Final = (3, 4)  # rows and columns

# A word is a run of letters, or one sign of those that are written without blanks; numbers and
# marks name no place.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]{3,}")


@dataclass(frozen=True)
class Shot:
    """What is known of a keyframe, and of the film from it to the next one."""

    time_s: float
    """Seconds from the film's start."""
    thumb: bytes | None = None
    """Its picture in `THUMB_PX`, RGB; None where it could not be read, and is like no other."""
    words: str = ""
    """Where it plays, as a model says it; empty where nothing is known."""
    dialogue: tuple[DialogueLine, ...] = ()
    """What is said meanwhile."""
    goes_on: bool = False
    """Whether it is known to be a later moment of the shot before."""


def colours(shots: Sequence[Shot]) -> Levels:
    """Return a row for each shot, such that rows differ as pictures do; NaN for no picture.

    Half of it is which light and colours there are, whatever moves, as quantiles: the distance of
    two such rows is what would have to be carried from one histogram to the other. The other half
    is where they are, in twelve blocks.
    """
    begins = range(0, max(len(shots), 1), _AT_ONCE)
    return np.concatenate([_colours(shots[begin : begin + _AT_ONCE]) for begin in begins])


def _colours(shots: Sequence[Shot]) -> Levels:
    width, height = THUMB_PX
    size = width * height * 3
    rows = np.full((len(shots), size), np.nan, np.float32)
    for row, shot in zip(rows, shots, strict=True):
        if shot.thumb is not None and len(shot.thumb) == size:
            row[:] = np.frombuffer(shot.thumb, np.uint8)
    red, green, blue = (rows[:, at::3] for at in range(3))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = (0.564 * (blue - light), 0.713 * (red - light))
    planes = (light, *(_CHROMA_WEIGHT * plane for plane in chroma))
    return np.concatenate([*map(_quantiles, planes), *map(_blocks, planes)], axis=1)


def distances(rows: Levels, ahead: int) -> Levels:
    """Return how far each row is from the one so many further on; NaN where one is unknown."""
    difference = np.abs(rows[ahead:] - rows[: len(rows) - ahead])
    far: Levels = difference.sum(axis=1) / 2
    return far


def _quantiles(plane: Levels) -> Levels:
    ordered = np.sort(plane, axis=1).reshape(len(plane), _QUANTILES, -1)
    means: Levels = ordered.mean(axis=2) / _QUANTILES
    return means


def _blocks(plane: Levels) -> Levels:
    (width, height), (rows, columns) = THUMB_PX, _BLOCKS
    cells = plane.reshape(-1, rows, height // rows, columns, width // columns)
    means: Levels = cells.mean(axis=(2, 4)).reshape(len(plane), -1) / (rows * columns)
    return means


class Wording:
    """The words on each shot, each the heavier the rarer it is in this film."""

    def __init__(self, shots: Sequence[Shot]) -> None:
        """Take the shots in film order."""
        self._words = [frozenset(_WORD.findall(shot.words.casefold())) for shot in shots]
        told = [words for words in self._words if words]
        counts = Counter(word for words in told for word in words)
        self._weight = {word: math.log(len(told) / count) for word, count in counts.items()}
        self._sums = [sum(map(self._weight.__getitem__, words)) for words in self._words]

    def likeness(self, one: int, other: int) -> float | None:
        """Return from 0 for no word in common to 1; None where either has none that tells."""
        least = min(self._sums[one], self._sums[other])
        if least <= 0:
            return None
        common = self._words[one] & self._words[other]
        return sum(map(self._weight.__getitem__, common)) / least
