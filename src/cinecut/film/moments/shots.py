"""Finds where one shot ends and the next begins: cuts, dissolves and fades."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from operator import mul, sub

from cinecut.film.moments.glance import Glance, Sample, Thumb

SAMPLE_S = Fraction(1, 8)
"""Every frame is scored; this often one is looked at more closely."""

# A flash of lightning or of a camera is over by then, and the picture before it is back.
_FLASH_S = Fraction(1, 4)
_SAME_PICTURE = 0.1
# A transition as long as 3 s is a slow one; each span is tried, counted in samples.
_SPANS = (4, 8, 12, 16, 24)
_TRANSITION_GAP_S = Fraction(1, 2)
_TRANSITION_MAX_S = Fraction(4)
# Part of the change that may not lie on the straight line between both pictures: motion.
_BLEND_RESIDUAL_MAX = 0.25
_SAME_CONTENT = 0.7
# Contrast below which a picture shows nothing, in levels of 255, and part of the contrast
# of the shot that a picture in mid-fade falls under.
_BLANK = 3.0
_FADED = 0.25


@dataclass(frozen=True)
class _Blend:
    """A dissolve as one span of samples shows it: its middle, and how sure that is."""

    middle: Fraction
    strength: float


class ShotDetector:
    """Takes a film's frames in order and tells the times at which new shots begin.

    A cut is a frame whose FFmpeg scene score reaches the threshold. A dissolve is a run of
    samples that lie on a straight line between two different pictures which differ by as
    much. A fade is a picture that loses its contrast and gets it back without a cut.
    """

    def __init__(self, threshold: float) -> None:
        """Take the scene score, 0 to 1, from which a frame begins a new shot."""
        self._threshold = threshold
        self._before: Glance | None = None
        self._cut: tuple[Fraction, Thumb] | None = None
        self._last_cut = Fraction(-1)
        self._samples: deque[Sample] = deque(maxlen=_SPANS[-1] + 1)
        self._blend: _Blend | None = None
        self._blend_seen = Fraction(0)
        self._peak = 0.0
        self._blank_since: Fraction | None = None
        self._blank_by_cut = True
        self._coming_up = 0.0

    def add(self, time: Fraction, glance: Glance, sample: Sample | None) -> list[Fraction]:
        """Take the next frame; return the starts of new shots found by it, in order.

        A start may lie up to some seconds back. `sample` is the same frame where it was
        looked at more closely.
        """
        starts = self._look_for_cut(time, glance)
        if sample is not None:
            starts += self._look_for_fade(sample) + self._look_for_dissolve(sample)
        self._before = glance
        return sorted(set(starts))

    def finish(self) -> list[Fraction]:
        """Return what was still waiting for proof when the film ended."""
        starts = [self._cut[0]] if self._cut else []
        return starts + ([self._blend.middle] if self._blend else [])

    def _look_for_cut(self, time: Fraction, glance: Glance) -> list[Fraction]:
        if self._before is not None and glance.is_change:
            self._last_cut = time
            self._forget()
            if self._cut is None:
                self._cut = time, self._before.thumb()
        if self._cut is None or time < self._cut[0] + _FLASH_S:
            return []
        start, before = self._cut
        self._cut = None
        return [] if before.difference(glance.thumb()) < _SAME_PICTURE else [start]

    def _look_for_fade(self, sample: Sample) -> list[Fraction]:
        is_faded = sample.contrast < max(_BLANK, _FADED * self._peak)
        near_cut = sample.time - self._last_cut < 2 * SAMPLE_S
        if is_faded and self._blank_since is None:
            self._blank_since = sample.time
            self._blank_by_cut = near_cut or not self._peak
        self._peak = max(self._peak * 0.97, sample.contrast)
        if sample.contrast <= self._coming_up:
            self._coming_up = 0.0
        elif self._coming_up:  # half of a fade, whose boundary is known
            self._coming_up = sample.contrast
            self._forget()
        if is_faded or self._blank_since is None:
            return []
        middle = (self._blank_since + sample.time) / 2
        by_cut, self._blank_since = self._blank_by_cut or near_cut, None
        self._peak = self._coming_up = sample.contrast
        self._forget()
        return [] if by_cut else [middle]

    def _look_for_dissolve(self, sample: Sample) -> list[Fraction]:
        self._samples.append(sample)
        found = [blend for span in _SPANS if (blend := self._blend_over(span))]
        if found:
            self._blend = max([*found, *([self._blend] if self._blend else [])], key=_strength)
            self._blend_seen = sample.time
        if self._blend is None:
            return []
        is_over = sample.time - self._blend_seen >= _TRANSITION_GAP_S
        if not is_over and sample.time - self._blend.middle < _TRANSITION_MAX_S:
            return []
        middle = self._blend.middle
        self._forget()
        return [middle]

    def _blend_over(self, span: int) -> _Blend | None:
        """Return the dissolve that the last `span` samples show, or None."""
        if len(self._samples) <= span:
            return None
        samples = self._samples
        first, last = samples[-1 - span], samples[-1]
        if first.thumb.difference(last.thumb) < self._threshold:
            return None
        if min(first.contrast, last.contrast) < _BLANK or _is_same_content(first, last):
            return None
        quarters = [samples[-1 - span * part // 4] for part in (3, 2, 1)]
        parts = [_blend_part(first.thumb, last.thumb, sample.thumb) for sample in quarters]
        if any(residual > _BLEND_RESIDUAL_MAX for _, residual in parts):
            return None
        shares = [share for share, _ in parts]
        if not 0.25 <= shares[1] <= 0.75 or not shares[0] + 0.1 < shares[1] < shares[2] - 0.1:
            return None
        change = first.thumb.difference(last.thumb)
        return _Blend(quarters[1].time, change * (1 - abs(shares[1] - 0.5)))

    def _forget(self) -> None:
        """Start afresh: no dissolve reaches over a boundary that was found."""
        self._samples.clear()
        self._blend = None


class KeyPictureShots:
    """Tells new shots from key pictures alone, which lie seconds apart."""

    def __init__(self, threshold: float) -> None:
        """Take the difference, 0 to 1, from which two key pictures are of different shots."""
        self._threshold = threshold
        self._before: Sample | None = None

    def add(self, time: Fraction, glance: Glance, sample: Sample | None) -> list[Fraction]:
        """Take the next picture; return its time when it begins a new shot."""
        before, self._before = self._before, sample or self._before
        if before is None or sample is None:
            return []
        return [time] if before.thumb.difference(sample.thumb) >= self._threshold else []

    def finish(self) -> list[Fraction]:
        """Return nothing: every picture is judged at once."""
        return []


def _strength(blend: _Blend) -> float:
    return blend.strength


def _blend_part(first: Thumb, last: Thumb, middle: Thumb) -> tuple[float, float]:
    """Return the share of `last` in `middle`, and the part of the change it leaves unexplained."""
    change = list(map(sub, last.rgb, first.rgb))
    moved = list(map(sub, middle.rgb, first.rgb))
    length = sum(map(mul, change, change)) or 1
    share = sum(map(mul, moved, change)) / length
    left = sum(abs(m - share * c) for m, c in zip(moved, change, strict=True))
    return share, left / (sum(map(abs, change)) or 1)


def _is_same_content(first: Sample, last: Sample) -> bool:
    """Whether both show the same in another light: the correlation of their brightness."""
    a, b = first.thumb.rgb[1::3], last.thumb.rgb[1::3]
    spread = math.sqrt(_covariance(a, a) * _covariance(b, b))
    return _covariance(a, b) > _SAME_CONTENT * spread


def _covariance(a: bytes, b: bytes) -> float:
    return float(sum(map(mul, a, b))) / len(a) - sum(a) * sum(b) / len(a) ** 2
