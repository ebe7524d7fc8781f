"""Holds the frames of the running shot that may stand for it: few, however long it runs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from av.video.frame import VideoFrame

from cinecut.film.moments.glance import Sample, largest_spread
from cinecut.film.picture.pixels import small_pixels

# A boundary is known late, and the shot after it may be over by then: the latest are held too.
_RECENT: Final = 6
# Small enough to look at in milliseconds, large enough for a star in a night sky to be seen.
_LOOK_PX: Final = (160, 90)
# A black or a white that was coded is not the same everywhere.
_CODED_SPREAD: Final = 6


@dataclass(frozen=True)
class Candidate:
    """A frame that may become a picture; few of them are held at a time."""

    sample: Sample
    frame: VideoFrame

    @property
    def time(self) -> Fraction:
        """When the frame is shown, in seconds."""
        return self.sample.time

    def shows_nothing(self) -> bool:
        """Whether it is one colour all over: black, white, or any other to the last bit."""
        thumb = self.sample.thumb
        if not self.sample.is_blank and largest_spread(thumb.rgb) > 0:
            return False
        spread = largest_spread(small_pixels(self.frame, _LOOK_PX))
        return spread <= (_CODED_SPREAD if thumb.is_black_or_white else 0)


class Candidates:
    """Frames of the running shot, thinned evenly, and the latest ones whole."""

    def __init__(self, most: int) -> None:
        """Take how many to hold at the most, the latest ones not counted."""
        self._most = most
        self._step = Fraction(0)
        self._even: list[Candidate] = []
        self._recent: deque[Candidate] = deque(maxlen=_RECENT)

    def add(self, candidate: Candidate) -> None:
        """Take the next frame."""
        self._recent.append(candidate)
        if self._even and candidate.time - self._even[-1].time < self._step:
            return
        self._even.append(candidate)
        if len(self._even) > self._most:
            self._step = 2 * (candidate.time - self._even[0].time) / self._most
            self._even = self._even[::2]

    def insist(self, candidate: Candidate) -> None:
        """Hold `candidate` whatever the step is."""
        if not self._even or self._even[-1].time < candidate.time:
            self._even.append(candidate)

    def drop_before(self, time: Fraction, *, recalls: bool = False) -> None:
        """Forget the frames before `time`, and hold the others as the first of a shot.

        Args:
            time: When the shot begins.
            recalls: Whether to hold the latest frames too that were passed over meanwhile.
        """
        left = self.between(time, None)
        if recalls or not left:
            passed = {one.time: one for one in (*left, *self._recent) if one.time >= time}
            left = [passed[moment] for moment in sorted(passed)]
        self._even, self._step = left, Fraction(0)

    def between(self, first: Fraction, end: Fraction | None) -> list[Candidate]:
        """Return the frames held from `first` on and before `end`, in film order."""
        return [one for one in self._even if first <= one.time and (end is None or one.time < end)]
