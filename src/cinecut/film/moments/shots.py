"""Finds where one shot ends and the next begins: cuts, and what `transitions` finds."""

from __future__ import annotations

from fractions import Fraction

from cinecut.film.moments.glance import Glance, Sample, Thumb
from cinecut.film.moments.transitions import Change, Transitions

SAMPLE_S = Fraction(1, 8)
"""Every frame is scored; this often one is looked at more closely."""

# A flash of lightning or of a camera is over by then, and the picture before it is back.
_FLASH_S = Fraction(1, 4)
_SAME_PICTURE = 0.1


class ShotDetector:
    """Takes a film's frames in order and tells the changes from shot to shot.

    A cut is a frame whose FFmpeg scene score reaches the threshold; all others are looked for
    between samples.
    """

    def __init__(self, threshold: float) -> None:
        """Take the scene score, 0 to 1, from which a frame begins a new shot."""
        self._before: Glance | None = None
        self._cut: tuple[Fraction, Thumb] | None = None
        self._transitions = Transitions(threshold)

    def add(self, time: Fraction, glance: Glance, sample: Sample | None) -> list[Change]:
        """Take the next frame; return the changes found by it, in order.

        A change may lie up to some seconds back. `sample` is the same frame where it was
        looked at more closely.
        """
        changes = self._look_for_cut(time, glance)
        if sample is not None:
            changes += self._transitions.add(sample)
        self._before = glance
        return changes

    def finish(self) -> list[Change]:
        """Return what was still waiting for proof when the film ended."""
        cut = [Change.cut(self._cut[0])] if self._cut else []
        return sorted([*cut, *self._transitions.interrupt()], key=_middle)

    def _look_for_cut(self, time: Fraction, glance: Glance) -> list[Change]:
        changes = []
        if self._before is not None and glance.is_change:
            changes = self._transitions.interrupt()
            if self._cut is None:
                self._cut = time, self._before.thumb()
        if self._cut is None or time < self._cut[0] + _FLASH_S:
            return changes
        start, before = self._cut
        self._cut = None
        is_flash = before.difference(glance.thumb()) < _SAME_PICTURE
        return sorted([*changes, *([] if is_flash else [Change.cut(start)])], key=_middle)


class KeyPictureShots:
    """Tells new shots from key pictures alone, which lie seconds apart."""

    def __init__(self, threshold: float) -> None:
        """Take the difference, 0 to 1, from which two key pictures are of different shots."""
        self._threshold = threshold
        self._before: Sample | None = None

    def add(self, time: Fraction, glance: Glance, sample: Sample | None) -> list[Change]:
        """Take the next picture; return its time when it begins a new shot."""
        before, self._before = self._before, sample or self._before
        if before is None or sample is None:
            return []
        is_other = before.thumb.difference(sample.thumb) >= self._threshold
        return [Change.cut(time)] if is_other else []

    def finish(self) -> list[Change]:
        """Return nothing: every picture is judged at once."""
        return []


def _middle(change: Change) -> Fraction:
    return change.middle
