"""Knows a film's pictures that were seen already: what looks the same is not asked about."""

from __future__ import annotations

from typing import Final

from cinecut.film.picture.look import Look

_MOST_READ: Final = 8  # pictures: a film of nothing but near-repeats is not read without end


class Repeats:
    """The first of each group of keyframes that look the same, in film order."""

    def __init__(self) -> None:
        self._firsts: list[tuple[int, Look]] = []

    def first_like(self, index: int, look: Look) -> int | None:
        """Return the index of the first keyframe that looks like this one, or None for a new look.

        Args:
            index: Place among the film's keyframes.
            look: What the keyframe's picture looks like.
        """
        near = (first for first in reversed(self._firsts) if look.may_be_same_as(first[1]))
        for _, (first, other) in zip(range(_MOST_READ), near, strict=False):
            if look.is_same_as(other):
                return first
        self._firsts.append((index, look))
        return None
