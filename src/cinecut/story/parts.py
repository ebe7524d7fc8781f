"""Finds the parts of a film: runs of shots that show one place, or one talk, or one montage.

Shots are linked to shots a little further on, and all that lies between two linked ones belongs
with them: so shot and reverse shot, A-B-A-B, come together though A is nothing like B. These are
the overlapping links of Hanjalic, Lagendijk and Biemond, "Automated high-level movie segmentation"
for advanced video-retrieval systems" (1999); that they reach only so far is the time constraint of
Yeung, Yeo and Liu, "Segmentation of video by clustering and graph analysis" (1998). How far is
counted in shots, so that the whole costs O(n), and in seconds, so that a return after another part
begins a new one. What is left over, quick shots that are like none, is joined by its pace, as by
Rasheed and Shah, "Scene detection in Hollywood movies and TV shows" (2003).

What counts as like is measured by the film itself: by how unlike its far shots are, and, where
two shots each have a near twin, by that: two talks in similar rooms have pictures that are alike,
but not as alike as each room's are among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from cinecut.story.likeness import Levels, Shot, Wording, colours, distances

_AHEAD: Final = 12
"""Shots that a link reaches: eleven lines of A may stand between two shots of B."""
_AHEAD_S: Final = 30.0
"""Seconds that it reaches, if shots are not longer."""
_AHEAD_GAPS: Final = 4
"""It reaches at least so many of the film's usual shots."""

# Levels as `distances` counts them: in real clips one take differs from itself by 1 to 27, one
# street by 4 to 78, and two films by 71 to 104.
_LIKE_SHARE: Final = 0.4
"""Shots that differ less than so much of what far ones differ by are alike."""
_FAR: Final = (2, 3, 5)
"""Shots are far from each other that lie such a part of the film apart."""
_LIKE_NEAREST: Final = 2.5
"""Or than so many times what a shot usually differs by from its nearest: one take moves, too."""
_LIKE_LEAST: Final = 15.0
_LIKE_MOST: Final = 40.0
_TWINS: Final = 16.0
"""So little differs one shot from itself, a little later."""
_RUNNING_ON_S: Final = 1.5
"""A pause so short goes on with the talk."""
_RUNNING_ON: Final = 1.5
"""What is linked by such a talk may differ so many times as much."""
_SAME_WORDS: Final = 0.6
"""Without a picture, so many of its words must be the other's too."""
_WORDS_WEIGH: Final = 0.5

_SHORTEST_S: Final = 10.0
"""What is shorter is no part of its own."""
_MONTAGE_S: Final = 180.0
"""The longest that short pieces are joined to."""

Truths = npt.NDArray[np.bool_]


@dataclass
class _Piece:
    first: int
    end: int
    """One past its last shot."""
    length_s: float
    is_whole: bool
    """Whether it is long enough to be a part."""


def parts_of(shots: Sequence[Shot], end_s: float | None = None) -> list[int]:
    """Return for each shot, in film order, the number of its part, from 0 and never descending.

    Args:
        shots: The shots, in film order.
        end_s: Where the film ends, in seconds; None where nobody knows.
    """
    if not shots:
        return []
    firsts = [piece.first for piece in _joined(_pieces(shots, end_s))]
    begins = np.zeros(len(shots), np.int64)
    begins[firsts[1:]] = 1
    return [int(number) for number in np.cumsum(begins)]


def _pieces(shots: Sequence[Shot], end_s: float | None) -> list[_Piece]:
    """Return the runs of shots over whose every joint a link leads."""
    reach = np.arange(len(shots))
    for ahead, is_linked in enumerate(_links(shots), 1):
        ones = np.flatnonzero(is_linked)
        reach[ones] = ones + ahead  # the furthest comes last
    furthest = np.maximum.accumulate(reach)
    ends = np.flatnonzero(furthest == np.arange(len(shots))) + 1
    times_s = [shot.time_s for shot in shots]
    times_s.append(max(end_s or 0.0, times_s[-1]))
    pieces, first = [], 0
    for end in map(int, ends):
        length_s = times_s[end] - times_s[first]
        pieces.append(_Piece(first, end, length_s, length_s >= _SHORTEST_S))
        first = end
    return pieces


def _links(shots: Sequence[Shot]) -> list[Truths]:
    """Return, for each distance in shots from 1, which shots are linked to the one so far on."""
    rows, times = colours(shots), np.array([shot.time_s for shot in shots])
    far_s = max(_AHEAD_S, _AHEAD_GAPS * float(np.median(np.diff(times)))) if len(shots) > 1 else 0
    differ = []
    for ahead in range(1, min(_AHEAD, len(shots) - 1) + 1):
        far = distances(rows, ahead)
        if ahead > 1:  # neighbours are that, however long the first one stands
            far[times[ahead:] - times[:-ahead] > far_s] = np.inf
        differ.append(far)
    like = _like(rows, _nearest(differ, len(shots)))
    wording, twins = Wording(shots), [far <= min(_TWINS, like) for far in differ]
    for ahead, far in enumerate(differ, 1):
        _heed_words(far, ahead, wording, like)
    nearest = _nearest(differ, len(shots))
    links = [
        # One without a near twin is linked to its nearest at least: that is as far as its own.
        is_twin | (far <= np.minimum(nearest[:-ahead] + nearest[ahead:], like))
        for ahead, (far, is_twin) in enumerate(zip(differ, twins, strict=True), 1)
    ]
    if links:
        runs_on = np.array([_runs_on(*two) for two in pairwise(shots)])
        links[0] |= runs_on & (differ[0] <= _RUNNING_ON * like)
        links[0] |= np.array([shot.goes_on for shot in shots[1:]])
    return links


def _nearest(differ: Sequence[Levels], count: int) -> Levels:
    """Return how far the nearest shot is from each within reach; infinite where none is known."""
    nearest = np.full(count, np.inf)
    for ahead, far in enumerate(differ, 1):
        nearest[:-ahead] = np.fmin(nearest[:-ahead], far)
        nearest[ahead:] = np.fmin(nearest[ahead:], far)
    return nearest


def _like(rows: Levels, nearest: Levels) -> float:
    """Return how far two pictures of this film may differ and still be alike."""
    # More than one way off: half of a film may lie between a place and the return to it.
    apart = np.concatenate([distances(rows, len(rows) // share) for share in _FAR])
    candidates = [
        share * float(np.median(known))
        for share, some in ((_LIKE_SHARE, apart), (_LIKE_NEAREST, nearest))
        if len(known := some[np.isfinite(some)])
    ]
    return min(max([_LIKE_LEAST, *candidates]), _LIKE_MOST)


def _heed_words(far: Levels, ahead: int, wording: Wording, like: float) -> None:
    """Bring pairs nearer whose words are the same, and others further apart; where it may tell."""
    for one in np.flatnonzero(np.isnan(far) | (far <= like / (1 - _WORDS_WEIGH / 2))):
        same = wording.likeness(int(one), int(one) + ahead)
        if np.isnan(far[one]):
            far[one] = like if same is not None and same >= _SAME_WORDS else np.inf
        elif same is not None:
            far[one] *= 1 + _WORDS_WEIGH * (0.5 - same)


def _runs_on(one: Shot, other: Shot) -> bool:
    """Say whether somebody speaks over the joint, or next to no pause lies there."""
    if not one.dialogue or not other.dialogue:
        return False
    return other.dialogue[0].start_s - one.dialogue[-1].end_s <= _RUNNING_ON_S


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Join short pieces to a montage, and one that stays short to the piece after it."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and _belongs_to(joined[-1], piece):
            last = joined[-1]
            last.end, last.length_s = piece.end, last.length_s + piece.length_s
            last.is_whole = piece.is_whole
        else:
            joined.append(piece)
    if len(joined) > 1 and joined[-1].length_s < _SHORTEST_S:
        joined.pop()
    return joined


def _belongs_to(last: _Piece, piece: _Piece) -> bool:
    if last.is_whole:
        return False
    if piece.is_whole:
        return last.length_s < _SHORTEST_S
    return last.length_s + piece.length_s <= _MONTAGE_S
