"""Measures a picture's light, colours and detail, and names them by fixed thresholds.

The demo model is trained on these names and judged by them: a name is true where the measured
value lies in its class, or within the margin of the threshold to it. The picture is measured as the
model gets it, at a long side of `PICTURE_SIDE_PX` pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

PICTURE_SIDE_PX: Final = 112
"""Long side of the pictures that the demo model is trained on, in pixels."""

Pixels = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.floating[Any]]

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_CELL_SHARE: Final = 1 / 14  # colours are told of cells this large, measured by the long side
_WARMTH_ADDEND: Final = 68


class Scale(NamedTuple):
    """Names in rising order, the thresholds between them, and how far a threshold reaches."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    margins: tuple[float, ...]

    def name(self, value: float) -> str:
        """Return the name of the class that `value` lies in."""
        return self.names[sum(value >= threshold for threshold in self.thresholds)]

    def true_names(self, value: float) -> frozenset[str]:
        """Return that name and those whose threshold is within its margin."""
        near = {self.name(value)}
        pairs = zip(self.thresholds, self.margins, strict=True)
        for index, (threshold, margin) in enumerate(pairs):
            if abs(value - threshold) <= margin:
                near |= {self.names[index], self.names[index + 1]}
        return frozenset(near)


BRIGHTNESS: Final = Scale(
    ("very dark", "dark", "moderately bright", "bright"), (36, 84, 148), (4, 6, 8)
)
"""Mean luma, 0 to 255."""

SATURATION: Final = Scale(("colourless", "muted", "clear", "vivid"), (8, 34, 72), (2, 5, 8))
"""Mean chroma (the largest of a cell's R, G, B less the smallest), 0 to 255."""

TEMPERATURE: Final = Scale(("cold", "neutral", "warm"), (-0.12, 0.12), (0.04, 0.04))
"""Mean of red less blue, by mean luma + 68: so much that no colourless picture is cold or warm."""

DETAIL: Final = Scale(("little", "some", "much"), (3.0, 10.0), (0.6, 1.5))
"""Mean difference in luma of pixels side by side, 0 to 255."""

SHARPNESS: Final = Scale(("soft", "sharp"), (0.38,), (0.04,))
"""Difference in luma one pixel apart, by that four pixels apart, both as root mean squares.

A ramp, which is what blur makes of an outline, has 1/4; a clean step has 1/2.
"""

COLOURS: Final = (
    *("black", "grey", "white", "brown"),
    *("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"),
)
"""Names of colours; the last eight stand in the order of their hues."""

# Where one hue ends and the next begins, in degrees from red, and how far they blend into
# each other to both sides. Orange that is dark is called brown.
_HUE_ENDS: Final = (15, 43, 68, 155, 193, 255, 295, 342)
_HUE_BLEND: Final = 8

SECOND_COLOUR_SHARE: Final = 0.22
"""Share of the picture from which on a second colour is named."""
COLOUR_MARGIN: Final = 0.08
"""How much smaller than the largest a colour's share may be for the colour to be true as well."""

PLACES: Final = ("left", "right", "top", "bottom", "middle", "edges")
"""Where the light is strongest."""
EVEN: Final = "even"
PLACE_SCORE: Final = 0.25
"""Difference in mean luma, by the picture's mean + 16, from which on a place is named."""
PLACE_MARGIN: Final = 0.08


@dataclass(frozen=True)
class Measures:
    """What is measured in one picture; the units stand at the scales above."""

    brightness: float
    saturation: float
    temperature: float
    detail: float
    sharpness: float
    shares: tuple[float, ...]
    """The share of the picture that each of `COLOURS` has; they add up to 1."""
    places: tuple[float, ...]
    """How much brighter each of `PLACES` is than the rest."""


class Labels(NamedTuple):
    """One name for each attribute."""

    brightness: str
    saturation: str
    colour: str
    second_colour: str | None
    detail: str
    sharpness: str
    temperature: str
    place: str


def measure(pixels: Pixels) -> Measures:
    """Measure a picture: rows x columns x RGB, 0 to 255."""
    rgb: _Floats = pixels.astype(np.float32)
    luma = rgb @ _LUMA
    cells = _cell_means(rgb)
    brightness = float(luma.mean())
    warmth = float((rgb[..., 0] - rgb[..., 2]).mean())
    return Measures(
        brightness=brightness,
        saturation=float((cells.max(-1) - cells.min(-1)).mean()),
        temperature=warmth / (brightness + _WARMTH_ADDEND),
        detail=_step(luma, 1, power=1),
        # The addends make a flat picture sharp, for it is not blurred.
        sharpness=(_step(luma, 1, power=2) + 0.2) / (_step(luma, 4, power=2) + 0.4),
        shares=tuple(float(share) for share in colour_shares(cells).mean((0, 1))),
        places=_place_scores(cells @ _LUMA, brightness),
    )


def label(measures: Measures) -> Labels:
    """Name every attribute by its thresholds."""
    order = sorted(range(len(COLOURS)), key=lambda index: -measures.shares[index])
    has_second = measures.shares[order[1]] >= SECOND_COLOUR_SHARE
    best = max(range(len(PLACES)), key=lambda index: measures.places[index])
    return Labels(
        brightness=BRIGHTNESS.name(measures.brightness),
        saturation=SATURATION.name(measures.saturation),
        colour=COLOURS[order[0]],
        second_colour=COLOURS[order[1]] if has_second else None,
        detail=DETAIL.name(measures.detail),
        sharpness=SHARPNESS.name(measures.sharpness),
        temperature=TEMPERATURE.name(measures.temperature),
        place=PLACES[best] if measures.places[best] >= PLACE_SCORE else EVEN,
    )


def true_colours(measures: Measures) -> frozenset[str]:
    """Return the colours that may be called the main one."""
    least = max(measures.shares) - COLOUR_MARGIN
    pairs = zip(COLOURS, measures.shares, strict=True)
    return frozenset(colour for colour, share in pairs if share >= least)


def true_second_colours(measures: Measures, main: str) -> frozenset[str | None]:
    """Return what may be called the second colour beside `main`; None stands for no second one."""
    rest = {c: s for c, s in zip(COLOURS, measures.shares, strict=True) if c != main}
    largest = max(rest.values())
    least = max(largest, SECOND_COLOUR_SHARE) - COLOUR_MARGIN
    named: set[str | None] = {colour for colour, share in rest.items() if share >= least}
    if largest < SECOND_COLOUR_SHARE + COLOUR_MARGIN:
        named.add(None)
    return frozenset(named)


def true_places(measures: Measures) -> frozenset[str]:
    """Return the places that may be called the brightest."""
    largest = max(measures.places)
    least = max(largest, PLACE_SCORE) - PLACE_MARGIN
    pairs = zip(PLACES, measures.places, strict=True)
    named = {place for place, score in pairs if score >= least}
    if largest < PLACE_SCORE + PLACE_MARGIN:
        named.add(EVEN)
    return frozenset(named)


def _cell_means(rgb: _Floats) -> _Floats:
    """Average over cells of one fourteenth of the long side."""
    side = max(1, round(max(rgb.shape[:2]) * _CELL_SHARE))
    means = rgb
    for axis in (0, 1):
        starts = np.arange(0, rgb.shape[axis], side)
        sizes = np.diff([*starts, rgb.shape[axis]])
        sums = np.add.reduceat(means, starts, axis)
        means = sums / (sizes[:, None, None] if axis == 0 else sizes[None, :, None])
    return means


def _step(luma: _Floats, distance: int, *, power: int) -> float:
    """Mean difference of pixels `distance` apart, across and down, as a mean of that power."""
    across = np.abs(luma[:, distance:] - luma[:, :-distance]) ** power
    down = np.abs(luma[distance:] - luma[:-distance]) ** power
    means = [float(steps.mean()) if steps.size else 0.0 for steps in (across, down)]
    return float(np.mean(means) ** (1 / power))


def _ramp(values: _Floats, low: float, high: float) -> _Floats:
    ramp: _Floats = np.clip((values - low) / (high - low), 0, 1)
    return ramp


def colour_shares(cells: _Floats) -> _Floats:
    """Return how much of each of `COLOURS` is in each cell, adding up to 1.

    Args:
        cells: Mean colours, rows x columns x RGB, 0 to 255.
    """
    top, bottom = cells.max(-1), cells.min(-1)
    chroma = top - bottom
    lit = _ramp(top, 28, 52)
    coloured = lit * _ramp(chroma / (top + 20), 0.12, 0.24)
    white = _ramp(bottom, 160, 200)
    plain = lit - coloured
    light = _ramp(top, 110, 150)

    red, green, blue = np.moveaxis(cells, -1, 0)
    divisor = np.maximum(chroma, 1e-3)
    hue = np.where(
        top == red,
        (green - blue) / divisor % 6,
        np.where(top == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    hues = coloured[..., None] * _hue_shares(hue * 60)
    orange = hues[..., 1].copy()
    hues[..., 1] = orange * light
    neutral = [1 - lit, plain * (1 - white), plain * white, orange * (1 - light)]
    shares: _Floats = np.concatenate([np.stack(neutral, -1), hues], -1)
    return shares


def _hue_shares(hue: _Floats) -> _Floats:
    """Return how much of each of the eight hues is in `hue`, in degrees."""
    ends = np.array(_HUE_ENDS, np.float32)
    # Signed way round the circle from every end to the hue: beyond an end means the next name.
    beyond = (hue[..., None] - ends + 180) % 360 - 180
    after = np.clip(beyond / (2 * _HUE_BLEND) + 0.5, 0, 1)
    before = 1 - after
    # Name i lies between the end before it (i - 1) and its own end.
    near = np.minimum(np.roll(after, 1, -1), before)
    shares: _Floats = near / np.maximum(near.sum(-1, keepdims=True), 1e-6)
    return shares


def _place_scores(luma: _Floats, brightness: float) -> tuple[float, ...]:
    rows, columns = luma.shape
    across = np.linspace(-1, 1, columns)[None, :]
    down = np.linspace(-1, 1, rows)[:, None]
    # Each half is half of the picture, hence 2: the scores are differences between halves.
    right = float((luma * np.sign(across)).mean()) * 2
    low = float((luma * np.sign(down)).mean()) * 2
    inner = (np.abs(across) <= 0.6) & (np.abs(down) <= 0.6)
    middle = float(luma[inner].mean() - luma[~inner].mean()) if inner.any() else 0.0
    scores = np.array([-right, right, -low, low, middle, -middle]) / (brightness + 16)
    return tuple(float(score) for score in scores)
