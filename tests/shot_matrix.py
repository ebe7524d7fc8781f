"""Makes films of a shot between two others, in every combination of what may hide it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import av
from films import BLACK, THUMB_HEIGHT, THUMB_WIDTH, Look, Thumb, dissolve, make_film, picture

FPS = 25
WHITE: Thumb = b"\xfa" * len(BLACK)
NEIGHBOURS = ("dim", "contrasty", "black", "white")
CHANGES = ("cut", "fade through black", "fade through white", "dissolve")
CONTRASTS = (0.5, 1, 2, 4, 8, 25, 60)
COLOURS = {
    "grey": (1, 1, 1),
    "red": (1, 0.12, 0.09),
    "green": (0.12, 1, 0.1),
    "blue": (0.1, 0.12, 1),
}
LENGTHS = (13, 32, 100)
"""Frames: 0.5, 1.28 and 4 s."""
OFF_THE_GRID = (0, 1, 2, 3)
"""Frames by which a shot begins off the grid of samples, which is four frames wide here."""

_NEIGHBOUR_FRAMES, _FADE, _HELD, _DISSOLVE = 25, 12, 2, 16


@dataclass(frozen=True)
class Case:
    """The shot in the middle."""

    contrast: float
    """Mean distance from the mean, in levels of 255."""
    colour: str
    frames: int
    off_grid: int


@dataclass(frozen=True)
class Stretch:
    """What is to be seen from one frame on, and before another."""

    first: int
    end: int
    case: Case | None
    """None for a neighbour."""


ALL_CASES = [Case(*facts) for facts in product(CONTRASTS, COLOURS, LENGTHS, OFF_THE_GRID)]


def some_cases(number: int, seed: int) -> list[Case]:
    """So many of all, by chance, but with each contrast, colour and length if they are enough."""
    return random.Random(seed).sample(ALL_CASES, number)


def make_matrix_film(
    path: Path, cases: Sequence[Case], neighbour: str, change: str, *, has_index: bool
) -> list[Stretch]:
    """Write a film in which each case's shot stands between two neighbours; return what is where.

    What is between two stretches is the change from one to the other.
    """
    thumbs: list[Thumb] = []
    stretches: list[Stretch] = []

    def show(thumb: Thumb, frames: int, case: Case | None = None) -> None:
        stretches.append(Stretch(len(thumbs), len(thumbs) + frames, case))
        thumbs.extend([thumb] * frames)

    around = _neighbour(neighbour, 0)
    show(around, _NEIGHBOUR_FRAMES)
    for number, case in enumerate(cases):
        shot = _shot(case, number)
        thumbs += _change(change, around, shot)
        show(shot, case.frames, case)
        around = _neighbour(neighbour, number + 1)
        thumbs += _change(change, shot, around)
        show(around, _NEIGHBOUR_FRAMES + case.off_grid)
    options = {"preset": "ultrafast", "qp": "2"}  # a level more or less must survive
    make_film(path, thumbs, Look(size=(160, 90), has_index=has_index, options=options))
    return stretches


def flat_stretches(film: Path, stretches: Sequence[Stretch], neighbour: str) -> set[Stretch]:
    """Return those that show nothing: black and white, and what is decoded as one colour."""
    blank = {one for one in stretches if one.case is None and neighbour in {"black", "white"}}
    middles = {(one.first + one.end) // 2: one for one in stretches}
    with av.open(str(film)) as container:
        return blank | {
            middles[index]
            for index, frame in enumerate(container.decode(video=0))
            if index in middles and _is_flat(frame.reformat(format="rgb24"))
        }


def _is_flat(frame: av.VideoFrame) -> bool:
    plane, width = frame.planes[0], 3 * frame.width
    rows = [bytes(plane)[y * plane.line_size :][:width] for y in range(frame.height)]
    return len(set(rows)) == 1 and len(set(zip(*[iter(rows[0])] * 3, strict=True))) == 1


def _shot(case: Case, seed: int) -> Thumb:
    """Half of the cells lighter and half darker; every second one in two halves, for smoothness."""
    cells = THUMB_WIDTH * THUMB_HEIGHT
    signs = [1, -1] * (cells // 2)
    random.Random(seed).shuffle(signs)
    if seed % 2:
        signs.sort()
    base = 54 + case.contrast + (0 if case.colour == "grey" else 40)
    direction = COLOURS[case.colour]
    return bytes(
        max(0, min(255, round((base + sign * case.contrast) * part)))
        for sign in signs
        for part in direction
    )


def _neighbour(kind: str, seed: int) -> Thumb:
    match kind:
        case "black":
            return BLACK
        case "white":
            return WHITE
        case "contrasty":
            return picture(seed + 1000)
    slope = [38 + round(4 * x / (THUMB_WIDTH - 1)) for x in range(THUMB_WIDTH)]
    return bytes(level for level in slope * THUMB_HEIGHT for _ in range(3))


def _change(kind: str, one: Thumb, other: Thumb) -> list[Thumb]:
    if kind == "cut":
        return []
    if kind == "dissolve":
        return dissolve(one, other, _DISSOLVE)
    between = BLACK if kind == "fade through black" else WHITE
    return [
        *dissolve(one, between, _FADE),
        *[between] * _HELD,
        *dissolve(between, other, _FADE),
    ]
