"""Joins the parts of a film to a few chapters: neighbours that are most alike, and short, first.

Ward's criterion among neighbours alone (Grimm, "CONISS", 1987): of all joints that one is given up
which adds least to how far shots lie from the mean of their chapter, each part weighed by its
seconds. So two long chapters are joined last, and chapters come out of about one length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from cinecut.story.likeness import Levels, Shot, colours

_LIKE_ITSELF: Final = 20.0
"""Levels that are added to each difference: equal pictures must not make one chapter endless."""


@dataclass
class _Stretch:
    length_s: float
    mean: Levels
    """Of its pictures, NaN where none is known."""

    def joined_with(self, other: _Stretch) -> _Stretch:
        length_s = self.length_s + other.length_s
        mean = (self.length_s * self.mean + other.length_s * other.mean) / length_s
        mean = np.where(np.isnan(mean), np.fmax(self.mean, other.mean), mean)
        return _Stretch(length_s, mean)

    def cost_of_joining(self, other: _Stretch) -> float:
        far = np.abs(self.mean - other.mean).sum() / 2
        weight = self.length_s * other.length_s / (self.length_s + other.length_s)
        return float(weight * (_LIKE_ITSELF + (0.0 if np.isnan(far) else far)))


def chapters_of(shots: Sequence[Shot], parts: Sequence[int], most: int = 12) -> list[int]:
    """Return for each shot, in film order, the number of its chapter, from 0.

    Args:
        shots: The shots in film order.
        parts: The number of each shot's part, as `parts_of` returns them; a chapter is made of
            whole parts.
        most: So many chapters at the most; at least 1.
    """
    if not shots:
        return []
    firsts = [at for at in range(len(parts)) if at == 0 or parts[at] != parts[at - 1]]
    stretches = _stretches(shots, firsts)
    costs = np.array([one.cost_of_joining(other) for one, other in pairwise(stretches)])
    while len(stretches) > max(most, 1):
        at = int(np.argmin(costs))  # of equal ones the first
        stretches[at : at + 2] = [stretches[at].joined_with(stretches[at + 1])]
        firsts.pop(at + 1)
        costs = np.delete(costs, at)
        for joint in range(max(at - 1, 0), min(at + 1, len(costs))):
            costs[joint] = stretches[joint].cost_of_joining(stretches[joint + 1])
    begins = np.zeros(len(shots), np.int64)
    begins[firsts[1:]] = 1
    return [int(number) for number in np.cumsum(begins)]


def _stretches(shots: Sequence[Shot], firsts: Sequence[int]) -> list[_Stretch]:
    rows = colours(shots)
    stretches = []
    for first, end in zip(firsts, [*firsts[1:], len(shots)], strict=True):
        known = rows[first:end][~np.isnan(rows[first:end, 0])]
        mean = known.mean(axis=0) if len(known) else np.full_like(rows[first], np.nan)
        after_s = shots[min(end, len(shots) - 1)].time_s
        # Two keyframes may share a moment, and a film's last one has no next.
        stretches.append(_Stretch(max(after_s - shots[first].time_s, 0.001), mean))
    return stretches
