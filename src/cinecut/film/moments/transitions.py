"""Finds gradual changes of picture: dissolves, fades, and cuts too faint for a scene score."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import mul, sub
from typing import Final

from cinecut.film.moments.glance import Sample, Thumb

KNOWN_AFTER_S: Final = Fraction(4)
"""A change is told so long after its middle at the latest."""

PASSING_S: Final = Fraction(1, 4)
"""What is alone on the screen for less time, between gradual changes, is no shot."""

# A transition as long as 3 s is a slow one; each span is tried, counted in samples.
_SPANS = (3, 4, 6, 8, 12, 16, 24)
# Where there are so few samples, both pictures may also stand still.
_SHORT_SPANS = (1, 2, 3)
_STILL, _UNMOVED, _NEXT_TO = 0.25, 0.04, 0.08
# A change is told when no better account of it has come for so long.
_GAP_S = Fraction(1, 2)
_HELD_S = Fraction(3, 2)
# Part of the change that may not lie on the straight line between both pictures: motion.
_RESIDUAL_MAX = 0.25
_STEP_MIN = 0.1
# Correlation from which two pictures show the same; and the levels, and the part of the other's
# contrast, below which a picture shows nothing any more.
_SAME_CONTENT = 0.7
_CONTRAST_TOLD, _ALMOST_GONE = 1.5, 0.2
# Pictures of less contrast than 12.5 levels of 255 cannot differ by as much as others do.
_FULL_CONTRAST = 12.5
_FAINTEST = 0.2
# Shares of the new picture below and above which a sample shows the old and the new one alone.
_PURE = 0.06
# A blank picture between two changes is part of them if it stays no longer.
_BLANK_S = Fraction(2)


@dataclass(frozen=True)
class Change:
    """Where one shot gives way to the next, in seconds; a cut is one moment."""

    begin: Fraction
    """The old shot is alone until here."""
    middle: Fraction
    """The new shot counts from here."""
    end: Fraction
    """The new shot is alone from here."""

    @property
    def is_cut(self) -> bool:
        """Whether one frame is of the old shot and the next one of the new."""
        return self.begin == self.end

    @classmethod
    def cut(cls, time: Fraction) -> Change:
        """Return the change at a cut whose first new frame is shown at `time`."""
        return cls(time, time, time)


@dataclass(frozen=True)
class _Found:
    """A change as one span of samples shows it, and how sure that is."""

    change: Change
    strength: float

    def joined_with(self, later: _Found, samples: Iterable[Sample]) -> _Found | None:
        """Return both as one change, or None where a picture of its own stands between them."""
        since, until = self.change.end, later.change.begin
        between = [sample for sample in samples if since <= sample.time <= until]
        if until - since > (_BLANK_S if _stay_blank(between) else PASSING_S):
            return None
        change = Change(self.change.begin, (since + until) / 2, later.change.end)
        return _Found(change, later.strength)


class _Way:
    """The straight line from one picture to another, each a point of 432 values."""

    def __init__(self, first: Thumb, last: Thumb) -> None:
        self._first = first.rgb
        self._change = list(map(sub, last.rgb, first.rgb))
        self._length: int = sum(map(mul, self._change, self._change)) or 1
        self._total: int = sum(map(abs, self._change)) or 1

    def share_of(self, thumb: Thumb) -> float:
        """Return how far along the line `thumb` lies: 0 at its start, 1 at its end."""
        along: int = sum(map(mul, map(sub, thumb.rgb, self._first), self._change))
        return along / self._length

    def left_by(self, thumb: Thumb, share: float) -> float:
        """Return the part of the change that lies between `thumb` and the line at `share`."""
        moved = map(sub, thumb.rgb, self._first)
        both = zip(moved, self._change, strict=True)
        left: float = sum(abs(m - share * c) for m, c in both)
        return left / self._total


class Transitions:
    """Takes samples in film order and tells the gradual changes between them.

    A change is a run of samples on a straight line between two different pictures, flat ones
    included; or two pictures that stand still, with less than half a second between them. Two
    with nothing of its own between them are one: a fade through black or white.
    """

    def __init__(self, threshold: float) -> None:
        """Take the difference, 0 to 1, from which two pictures of full contrast are different."""
        self._threshold = threshold
        self._samples: deque[Sample] = deque(maxlen=_SPANS[-1] + 1)
        self._found: _Found | None = None
        """The best account so far of the change that is under way or just over."""
        self._held: _Found | None = None
        """A change that may be half of one."""
        self._shown_since: Fraction | None = None
        """When the film's first picture came that is not blank."""

    def add(self, sample: Sample) -> list[Change]:
        """Take the next sample and return the changes that are sure now."""
        self._samples.append(sample)
        if self._shown_since is None and not sample.is_blank:
            self._shown_since = sample.time
        told: list[Change] = []
        for found in sorted(self._look_back(), key=_begin):
            if self._found is not None and found.change.begin >= self._found.change.end:
                told += self._settle()
            is_new = self._samples[0].time <= found.change.begin  # what was settled is forgotten
            if is_new and (self._found is None or found.strength > self._found.strength):
                self._found = found
        if self._held is not None and not self._may_go_on(self._held, sample):
            told += self._tell_held()
        if self._found is not None:
            waited_s = sample.time - self._found.change.end
            if waited_s >= _GAP_S or sample.time - self._found.change.middle >= KNOWN_AFTER_S:
                told += self._settle()
        return told

    def interrupt(self) -> list[Change]:
        """Return what was still waiting: a cut has come, or the film's end."""
        told = self._settle() + self._tell_held()
        self._samples.clear()
        return told

    def _settle(self) -> list[Change]:
        """Hold the change that was found, and tell the one held before unless they are one."""
        found, self._found = self._found, None
        if found is None:
            return []
        joined = self._held.joined_with(found, self._samples) if self._held else None
        told = [] if joined else self._tell_held()
        while self._samples and self._samples[0].time < found.change.end:
            self._samples.popleft()
        self._held = joined or found
        return told

    def _tell_held(self) -> list[Change]:
        held, self._held = self._held, None
        if held is None:
            return []
        if self._shown_since is None or held.change.begin < self._shown_since:
            # The film fades in: what it shows first begins with the film.
            return [Change(Fraction(0), Fraction(0), held.change.end)]
        return [held.change]

    def _may_go_on(self, held: _Found, sample: Sample) -> bool:
        """Whether `held` may be half of a change: what it led to is blank, or did not stay."""
        end, until = held.change.end, self._found.change.begin if self._found else None
        since = [
            later
            for later in self._samples
            if end <= later.time and (until is None or later.time <= until)
        ]
        stayed = any(
            not (one.is_blank or later.is_blank) and one.thumb.difference(later.thumb) < _UNMOVED
            for one, later in zip(since, since[2:], strict=False)
        )
        if stayed:
            return False
        limit_s = _BLANK_S if any(one.is_blank for one in since) else _HELD_S
        return self._found is not None or sample.time - end <= limit_s

    def _look_back(self) -> list[_Found]:
        """Return the changes that end at the latest sample, by each span."""
        samples = list(self._samples)
        found = [self._line(samples[-1 - span :]) for span in _SPANS if len(samples) > span]
        found += [
            self._jump(samples[-3 - span :]) for span in _SHORT_SPANS if len(samples) > span + 2
        ]
        return [one for one in found if one is not None]

    def _differ(self, first: Sample, last: Sample) -> bool:
        contrast = max(first.contrast, last.contrast)
        enough = self._threshold * min(1.0, max(_FAINTEST, contrast / _FULL_CONTRAST))
        return first.thumb.difference(last.thumb) >= enough

    def _line(self, samples: Sequence[Sample]) -> _Found | None:
        """Return the change whose pictures lie on a straight line, or None."""
        first, last = samples[0], samples[-1]
        if not self._differ(first, last):
            return None
        # The cheap questions first: most samples of most films lie on no line.
        inner, way = _evenly_inside(samples), _Way(first.thumb, last.thumb)
        shares = [way.share_of(sample.thumb) for sample in inner]
        nearest = min(range(len(shares)), key=lambda at: abs(shares[at] - 0.5))
        off = abs(shares[nearest] - 0.5)
        if off > 0.25 or min(later - one for one, later in pairwise(shares)) < _STEP_MIN:
            return None
        both = zip(inner, shares, strict=True)
        if any(way.left_by(one.thumb, share) > _RESIDUAL_MAX for one, share in both):
            return None
        if _is_same_content(first, last):
            return None
        strength = first.thumb.difference(last.thumb) * (1 - off)
        return _found(samples, inner[nearest].time, strength)

    def _jump(self, samples: Sequence[Sample]) -> _Found | None:
        """Return the change between two pictures that stand still, or None."""
        before, first, last, after = samples[0], samples[1], samples[-2], samples[-1]
        if not self._differ(first, last):
            return None
        change = first.thumb.difference(last.thumb)
        moves = max(before.thumb.difference(first.thumb), last.thumb.difference(after.thumb))
        if moves > _STILL * change or _is_same_content(first, last):
            return None
        return _found(samples[1:-1], (first.time + last.time) / 2, change)


def _stay_blank(samples: Sequence[Sample]) -> bool:
    """Whether one of them is blank and the others are next to that."""
    blank = next((sample for sample in samples if sample.is_blank), None)
    return blank is not None and all(
        blank.thumb.difference(sample.thumb) <= _NEXT_TO for sample in samples
    )


def _evenly_inside(samples: Sequence[Sample]) -> list[Sample]:
    """Return two or three samples between the first and the last."""
    span = len(samples) - 1
    return [samples[at] for at in ((1, 2) if span == 3 else (span // 4, span // 2, 3 * span // 4))]


def _found(samples: Sequence[Sample], middle: Fraction, strength: float) -> _Found:
    """Return the change over `samples`, without those at its ends that show one picture alone."""
    way = _Way(samples[0].thumb, samples[-1].thumb)
    shares = [way.share_of(sample.thumb) for sample in samples]
    end = next(at for at, share in enumerate(shares) if share >= 1 - _PURE)
    begin = max(at for at, share in enumerate(shares[:end]) if share <= _PURE)
    old, new = samples[begin], samples[end]
    middle = min(max(old.time, middle), new.time)
    return _Found(Change(old.time, middle, new.time), strength)


def _begin(found: _Found) -> Fraction:
    return found.change.begin


def _is_same_content(first: Sample, last: Sample) -> bool:
    """Whether both show the same in another light: the correlation of light and colour."""
    least, most = sorted((first.contrast, last.contrast))
    if least < max(_CONTRAST_TOLD, _ALMOST_GONE * most):
        return False
    pairs = [(first.thumb.rgb[at::3], last.thumb.rgb[at::3]) for at in range(3)]
    both = sum(_covariance(a, b) for a, b in pairs)
    spread = sum(_covariance(a, a) for a, _ in pairs) * sum(_covariance(b, b) for _, b in pairs)
    return both > _SAME_CONTENT * math.sqrt(spread)


def _covariance(a: bytes, b: bytes) -> float:
    return float(sum(map(mul, a, b))) / len(a) - sum(a) * sum(b) / len(a) ** 2
