"""Counts frames as SMPTE 12M does: hours, minutes, seconds and frames, with or without drops."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_DAY_S: Final = 24 * 3600
_TIMECODE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.,])(\d\d)")


@dataclass(frozen=True)
class Timebase:
    """How moments become timecodes."""

    rate: Fraction
    """Frames a second."""
    is_drop: bool
    """Whether numbers are left out, so that a timecode of 29.97 or 59.94 agrees with the clock."""

    @property
    def second(self) -> int:
        """How many frames a timecode's second has."""
        return round(self.rate)

    def frames(self, seconds: float) -> int:
        """Return the number of the frame that is nearest to a moment."""
        return round(Fraction(seconds) * self.rate)

    def timecode(self, frame: int) -> str:
        """Return the timecode of a frame; it begins anew after a day."""
        minute = 60 * self.second
        if self.is_drop:
            dropped = self._dropped_a_minute
            tens, rest = divmod(frame, 10 * minute - 9 * dropped)
            minutes = max(0, rest - dropped) // (minute - dropped)
            frame += dropped * (9 * tens + minutes)
        seconds, frames = divmod(frame, self.second)
        minutes, second = divmod(seconds % _DAY_S, 60)
        hour, minute = divmod(minutes, 60)
        mark = ";" if self.is_drop else ":"
        return f"{hour:02}:{minute:02}:{second:02}{mark}{frames:02}"

    def frame_at(self, timecode: str) -> int | None:
        """Return the number of the frame that has a timecode; None if it is none at this rate."""
        match = _TIMECODE.fullmatch(timecode.strip())
        if match is None or int(match[5]) >= self.second:
            return None
        minutes = 60 * int(match[1]) + int(match[2])
        frame = (60 * minutes + int(match[3])) * self.second + int(match[5])
        return frame - self._dropped_a_minute * (minutes - minutes // 10) if self.is_drop else frame

    @property
    def _dropped_a_minute(self) -> int:
        return self.second // 15


def timebase_of(rate: Fraction, start_timecode: str | None) -> Timebase:
    """Return how a film of this rate is counted.

    Where numbers may be dropped, its own timecode tells by its last mark whether they are; a film
    without one is counted as the clock goes, for that is how its scenes are timed.
    """
    may_drop = rate in {Fraction(30000, 1001), Fraction(60000, 1001)}
    match = _TIMECODE.fullmatch((start_timecode or "").strip())
    return Timebase(rate, may_drop and (match is None or match[4] in ";,."))
