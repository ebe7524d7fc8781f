"""Tells how an editor's program counts the frames of a film: the rate, and from which timecode."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from cinecut.film.reading.video import Video

RATES: Final = (
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)),
    *(Fraction(48000, 1001), Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60)),
)
"""Frames a second that timecodes count."""

_SAME: Final = Fraction(3, 10_000)
"""Headers round; the nearest of `RATES` lie 1 in 1,000 from each other."""


@dataclass(frozen=True)
class Counting:
    """How the frames of a film are counted."""

    rate: Fraction
    """Frames a second: one of `RATES`."""
    is_exact: bool
    """Whether the film has this rate; else it is variable or odd, and this is the nearest one."""
    start_timecode: str | None
    """What the film says that its first frame has, such as `01:00:00;00`; as it is spelt there."""


def counting_of(film: Path) -> Counting:
    """Return how the frames of `film` are counted, as its header tells it.

    Raises:
        FilmError: The film cannot be read.
    """
    with Video(film) as video:
        return Counting(*nearest_rate(video.frame_rate), video.start_timecode)


def nearest_rate(mean: Fraction | None) -> tuple[Fraction, bool]:
    """Return the rate that timecodes count and that is nearest to `mean`; and whether it is that.

    Slower and faster films are counted by a multiple or a part: 15 by 30, 120 by 60. What nobody
    can tell is counted by 25.
    """
    if mean is None:
        return Fraction(25), False
    wanted = mean
    while 0 < wanted < 20:
        wanted *= 2
    while wanted > 62:
        wanted /= 2
    nearest = min(RATES, key=lambda rate: abs(rate - wanted))
    return nearest, abs(nearest - mean) <= _SAME * nearest
