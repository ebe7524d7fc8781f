"""Draws when in a film its keyframes fall, as paths for the storyboard's SVG."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

from cinecut.models import KEYFRAME_SOURCES
from cinecut.results import presentation
from cinecut.results.scenes import Results, Scene

WIDTH: Final = 1000
"""Width of the drawings in their own units, which the page stretches to its width."""
HEIGHT: Final = 100

_BINS: Final = 160
_SMOOTHING_BINS: Final = 2.5
"""Standard deviation of the smoothing: 1.6 % of the film, enough to join neighbours to a hill."""

_MOST_TRACKS: Final = 8
"""The known sources, and the commonest of those that only another version knows."""

_AXIS_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_AXIS_MAX_LABELS: Final = 9


@dataclass(frozen=True)
class Track:
    """All keyframes of one source."""

    source: str
    label: str
    count: int
    busiest_minute: int
    """The most keyframes in any 60 seconds."""
    ticks: str
    """A stroke for each keyframe, as an SVG path over 0..`WIDTH` by 0..1."""
    ridge: str
    """How many keyframes fall when, as an SVG line over 0..`WIDTH` by 0..`HEIGHT`.

    All tracks share one scale; down is more in SVG, so `HEIGHT` is none.
    """


@dataclass(frozen=True)
class AxisLabel:
    """A moment on the time axis."""

    percent: float
    text: str


def length_s(results: Results) -> float:
    """Return what the time axis spans, in seconds: the film, or as far as scenes are known."""
    last_s = max((scene.keyframe.timestamp_s for scene in results.scenes), default=0.0)
    return max(presentation.duration_s(results) or 0.0, last_s) or 1.0


def tracks(scenes: Sequence[Scene], length_s: float) -> list[Track]:
    """Return one track for each source that occurs, eight at most, the known ones first."""
    times: dict[str, list[float]] = {source: [] for source in KEYFRAME_SOURCES}
    labels: dict[str, str] = {}
    for scene in scenes:
        times.setdefault(scene.keyframe.source, []).append(scene.keyframe.timestamp_s)
        labels[scene.keyframe.source] = presentation.source_label(scene)
    others = [source for source in times if source not in KEYFRAME_SOURCES]
    others.sort(key=lambda source: -len(times[source]))
    for source in others[_MOST_TRACKS - len(KEYFRAME_SOURCES) :]:
        del times[source]
    densities = {source: _density(times_s, length_s) for source, times_s in times.items()}
    highest = max((max(values) for values in densities.values()), default=0.0) or 1.0
    return [
        Track(
            source=source,
            label=labels[source],
            count=len(times_s),
            busiest_minute=_busiest_minute(times_s),
            ticks=ticks(times_s, length_s),
            ridge=_ridge([value / highest for value in densities[source]]),
        )
        for source, times_s in times.items()
        if times_s
    ]


def axis(length_s: float) -> list[AxisLabel]:
    """Return labels at round times, few enough to stand side by side."""
    fitting = (step for step in _AXIS_STEPS_S if length_s / step <= _AXIS_MAX_LABELS)
    step_s = next(fitting, _AXIS_STEPS_S[-1] * (1 + int(length_s // 86_400)))
    moments_s = range(0, int(length_s) + 1, step_s)
    return [AxisLabel(100 * at_s / length_s, presentation.clock(at_s)) for at_s in moments_s]


def _density(times_s: Sequence[float], length_s: float) -> list[float]:
    """Return keyframes a bin, smoothed by a Gaussian."""
    counts = [0] * _BINS
    for at_s in times_s:
        counts[min(int(at_s / length_s * _BINS), _BINS - 1)] += 1
    reach = round(3 * _SMOOTHING_BINS)
    weights = [exp(-0.5 * (step / _SMOOTHING_BINS) ** 2) for step in range(-reach, reach + 1)]
    # Film and hill both end at the edge, so only the weights inside the film count there.
    return [
        sum(w * counts[at] for w, at in inside) / sum(w for w, _ in inside)
        for inside in (
            [(w, at) for at, w in enumerate(weights, bin_ - reach) if 0 <= at < _BINS]
            for bin_ in range(_BINS)
        )
    ]


def _busiest_minute(times_s: Sequence[float]) -> int:
    return max(bisect_left(times_s, at_s + 60) - start for start, at_s in enumerate(times_s))


def _ridge(heights: Sequence[float]) -> str:
    step = WIDTH / (len(heights) - 1)
    points = (
        f"{position * step:.1f} {HEIGHT * (1 - height):.1f}"
        for position, height in enumerate(heights)
    )
    return f"M{'L'.join(points)}"


def ticks(times_s: Sequence[float], length_s: float) -> str:
    """Return a stroke for each time, as an SVG path over 0..`WIDTH` by 0..1."""
    return "".join(f"M{WIDTH * at_s / length_s:.2f} 0V1" for at_s in times_s)
