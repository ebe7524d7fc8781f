"""Chooses the keyframes: subtitle middles, one frame a shot, and no gap above the interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final

from av.video.frame import VideoFrame

from cinecut.film.moments.candidates import Candidate, Candidates
from cinecut.film.moments.company import Company
from cinecut.film.moments.glance import Sample, Thumb
from cinecut.film.moments.transitions import KNOWN_AFTER_S, PASSING_S, Change
from cinecut.models import KEYFRAME_SOURCES, KeyframeSource, Moment

SUBTITLE, SCENE, INTERVAL = KEYFRAME_SOURCES

SHOT_MIN_S: Final = Fraction(1, 2)
"""Every shot of this length or longer has a frame."""

# Two frames of a shot this near to each other that look alike are described once, and those
# of one moment whether something moves between them or not.
_NEAR_S = Fraction(2)
_MOMENT_S = Fraction(1, 2)
_ALIKE_MEAN, _ALIKE_MAX = 0.05, 0.16
# A picture with this part of the best one's contrast is as good as any.
_CONTRAST_ENOUGH = 0.6
# Pictures that wait for their shot to end; a film with more lines than that is cut short.
_WAITING_MAX = 64
_HALF_A_FRAME_S = Fraction(1, 48)


@dataclass(frozen=True)
class Pick:
    """A chosen frame and its picture."""

    sample: Sample
    source: KeyframeSource
    jpeg: bytes = field(repr=False)
    moments: tuple[Moment, ...] = field(default=(), repr=False)
    """Other pictures of its shot, in film order."""

    @property
    def time(self) -> Fraction:
        """When the frame is shown, in seconds."""
        return self.sample.time


class Picker:
    """Takes a film's frames, lines and shots in order and gives out picks in film order.

    The strongest reason comes first: lines are added as they pass, the frame of the shot
    when it ends, and a frame for the interval when nothing else was there. So a
    near-duplicate is always the weaker one, and is left out.
    """

    def __init__(
        self,
        encode: Callable[[VideoFrame], bytes | None],
        *,
        interval: Fraction,
        keep_duplicates: bool,
        candidates_max: int,
        moments: int = 1,
    ) -> None:
        """Take `encode`, which makes a frame's JPEG or returns None when that cannot be done."""
        self._company = Company(encode, moments)
        self.merged = 0
        self._encode = encode
        self._interval = interval
        self._keep_duplicates = keep_duplicates
        self._candidates = Candidates(candidates_max)
        self._waiting: list[Pick] = []
        self._given: Pick | None = None
        self._began = Change.cut(Fraction(0))
        """The change at which the running shot began."""
        self._follows_change = False
        self._has_frame = False

    def due(self, next_line: Fraction | None) -> Fraction:
        """Return when a frame is due at the latest, the next known subtitle considered.

        Up to that subtitle the frames are spread evenly, so that none is due right before it.
        """
        last = self._last_time
        if next_line is None or next_line - last <= self._interval:
            return last + self._interval
        return last + (next_line - last) / math.ceil((next_line - last) / self._interval)

    def add_candidate(self, candidate: Candidate) -> None:
        """Take a frame that may stand for its shot."""
        self._candidates.add(candidate)

    def add_line(self, candidate: Candidate) -> list[Pick]:
        """Take the frame in the middle of a subtitle line."""
        self._add(candidate, SUBTITLE)
        return self._give_out(candidate.time) if len(self._waiting) >= _WAITING_MAX else []

    def begin_shot(self, change: Change) -> list[Pick]:
        """End the running shot at `change`, which is in the past, and return its picks."""
        self._close_shot(change, ends_in_change=True)
        picks = self._give_out(change.middle, shot_end=change.begin)
        self._candidates.drop_before(change.end, recalls=not change.is_cut)
        self._began = change
        self._follows_change = change.middle > 0
        self._has_frame = self._given_time >= change.end
        return picks

    def come_due(self, latest: Candidate) -> list[Pick]:
        """Return what there is up to `latest`, with a frame for the interval that ends there."""
        self._candidates.insist(latest)
        last = self._last_time
        if not self._has_frame:
            # What came last may belong to a shot whose beginning is not known yet.
            length = latest.time - self._began.middle
            sure = latest.time - min(KNOWN_AFTER_S, length / 2)
            middle = self._began.middle + length / 2
            held = self._candidates.between(self._began.end, sure)
            self._add_best(held or [latest], middle, length, self._own_source)
            self._has_frame = True
        if self._last_time == last:
            held = self._candidates.between(last, None)
            self._add_best(held, latest.time, latest.time - last, INTERVAL)
        picks = self._give_out(latest.time)
        self._candidates.drop_before(self._given_time)
        return picks

    def finish(self, end: Fraction) -> list[Pick]:
        """End the film at `end` and return the last picks."""
        self._close_shot(Change.cut(end), ends_in_change=False)
        return self._give_out(end)

    @property
    def _given_time(self) -> Fraction:
        return self._given.time if self._given else Fraction(-1)

    @property
    def _last_time(self) -> Fraction:
        return max([Fraction(0), self._given_time, *(pick.time for pick in self._waiting)])

    @property
    def _own_source(self) -> KeyframeSource:
        return SCENE if self._follows_change else INTERVAL

    def _close_shot(self, change: Change, *, ends_in_change: bool) -> None:
        """Add the frame of the shot that ends there, unless it has one or shows nothing."""
        if self._has_frame:
            return
        start, end = self._began.middle, change.middle
        earlier = [pick for pick in (*self._waiting, self._given) if pick and pick.time < end]
        # A gradual change is known to within samples: in doubt a shot is the longer one.
        is_short = change.end - self._began.begin < SHOT_MIN_S - _HALF_A_FRAME_S
        if is_short and any(end - pick.time < _NEAR_S for pick in earlier):
            return
        passes = change.begin - self._began.end < PASSING_S
        if passes and not self._began.is_cut and earlier:
            return  # such as the last blink of a film that fades out
        source = SCENE if ends_in_change else self._own_source
        alone = self._candidates.between(self._began.end, change.begin)
        # After a gradual change the first may still hold a rest of the shot before; and a shot
        # that is never alone on the screen is shown best by what is between both changes.
        rest = alone if self._began.is_cut else alone[1:]
        held = rest or alone or self._candidates.between(start, end)
        if all(candidate.shows_nothing() for candidate in held):
            return
        self._add_best(held, (start + end) / 2, end - start, source, before=end)

    def _add_best(
        self,
        held: Sequence[Candidate],
        target: Fraction,
        length: Fraction,
        source: KeyframeSource,
        *,
        before: Fraction | None = None,
    ) -> None:
        """Add the best of the frames `held`: near `target`, and showing as much as another."""
        candidates = [candidate for candidate in held if candidate.time > self._given_time]
        top = max((candidate.sample.contrast for candidate in candidates), default=0.0)

        def cost(candidate: Candidate) -> float:
            shown = candidate.sample.contrast / (_CONTRAST_ENOUGH * top) if top else 1.0
            distance = abs(float(candidate.time - target)) / (float(length) or 1.0)
            return distance + 2 * (1 - min(1.0, shown)) + candidate.frame.is_corrupt

        for candidate in sorted(candidates, key=cost):
            if self._add(candidate, source, before):
                return

    def _add(
        self, candidate: Candidate, source: KeyframeSource, before: Fraction | None = None
    ) -> bool:
        """Add the pick, or merge it; return False when no picture can be made of the frame.

        Args:
            candidate: The frame.
            source: Why it was chosen.
            before: Where the shot ends whose frame it is; None where nobody knows yet.
        """
        if self._is_there_already(candidate, before):
            self.merged += 1
            return True
        jpeg = self._encode(candidate.frame)
        if jpeg is not None:
            self._waiting.append(Pick(candidate.sample, source, jpeg))
        return jpeg is not None

    def _is_there_already(self, candidate: Candidate, before: Fraction | None) -> bool:
        picks = [*self._waiting, *([self._given] if self._given else [])]
        return any(
            pick.time == candidate.time
            or (
                not self._keep_duplicates
                and pick.time >= self._began.middle
                and (before is None or pick.time < before)
                and self._are_one(pick, candidate)
            )
            for pick in picks
        )

    def _are_one(self, pick: Pick, candidate: Candidate) -> bool:
        """Say whether one description serves both of two frames of a shot."""
        distance = abs(pick.time - candidate.time)
        if distance < min(_MOMENT_S, self._interval / 60):  # a gap must not grow much by it
            return True
        return distance <= _NEAR_S and _are_alike(pick.sample.thumb, candidate.sample.thumb)

    def _give_out(self, end: Fraction, *, shot_end: Fraction | None = None) -> list[Pick]:
        """Remove and return the waiting picks up to `end`, in film order, with other moments.

        Args:
            end: The last pick is no later.
            shot_end: Until when the shot is alone; None where nobody knows yet.
        """
        waiting = sorted(self._waiting, key=lambda pick: pick.time)
        picks = [pick for pick in waiting if pick.time <= end]
        self._waiting = waiting[len(picks) :]
        begin, last = self._began.end, end if shot_end is None else shot_end
        held = self._candidates.between(begin, last)
        # Two keyframes of one shot share it half way, the one given out before included.
        times = [pick.time for pick in picks]
        if begin <= self._given_time < end:
            begin = self._given_time + (min([*times, end]) - self._given_time) / 2
        edges = [begin, *((one + other) / 2 for one, other in pairwise(times)), last]
        self._given = picks[-1] if picks else self._given
        return [
            replace(pick, moments=self._company.of(pick.time, pick.jpeg, held, span))
            for pick, span in zip(picks, pairwise(edges), strict=False)
        ]


def _are_alike(one: Thumb, other: Thumb) -> bool:
    return one.difference(other) <= _ALIKE_MEAN and one.largest_difference(other) <= _ALIKE_MAX
