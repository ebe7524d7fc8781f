"""Makes films that tell something: scenes of shots in places, and where each scene begins.

A place has its colours, a set-up shows them from its own side with somebody in front, and
whatever is filmed moves a little. All of it comes from a seed.
"""

from __future__ import annotations

import colorsys
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from films import BLACK, THUMB_HEIGHT, THUMB_WIDTH, Look, Thumb, dissolve, make_film

FPS = 10
FADE_FRAMES = 10
PLAIN = Look(size=(160, 90), rate=Fraction(FPS), has_index=False)

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """Where something plays: the colours of its light, its far side and its near side."""

    wall: Colour
    floor: Colour
    figures: tuple[Colour, ...]

    def like(self, levels: float) -> Place:
        """A room that looks nearly the same, lighter by so many levels, with others in it."""
        wall, floor = (
            tuple(min(255.0, part + levels) for part in colour)
            for colour in (self.wall, self.floor)
        )
        return Place(wall, floor, self.figures[2:] + self.figures[:2])  # type: ignore[arg-type]


def place(seed: int) -> Place:
    """Return a place of its own colours."""
    rng = random.Random(f"place {seed}")
    hue, light = rng.random(), rng.uniform(0.3, 0.7)

    def near(hue: float, light: float, saturation: float) -> Colour:
        red, green, blue = colorsys.hls_to_rgb(hue % 1, light, saturation)
        return (255 * red, 255 * green, 255 * blue)

    return Place(
        near(hue, light, rng.uniform(0.1, 0.6)),
        near(hue + rng.uniform(0.05, 0.6), light * 0.5, rng.uniform(0.1, 0.6)),
        tuple(near(rng.random(), rng.uniform(0.1, 0.8), 0.4) for _ in range(4)),
    )


def shot(
    where: Place, set_up: int, rng: random.Random, *, move: float = 0.0, busy: float = 0.5
) -> Thumb:
    """Return a picture of a place: a set-up has its horizon, its slant, and its figure.

    Its figure moves by `busy` cells, and the light by so many times 4 %.
    """
    side = random.Random(f"set-up {set_up}")
    horizon, slant = side.uniform(3, 7), side.uniform(-0.15, 0.15)
    light = side.uniform(0.8, 1.2) * rng.uniform(1 - 0.04 * busy, 1 + 0.04 * busy)
    figure = where.figures[set_up % len(where.figures)]
    x_of, wide = side.uniform(3, 13) + move + rng.uniform(-busy, busy), side.uniform(1.5, 4)
    pixels = bytearray()
    for y in range(THUMB_HEIGHT):
        for x in range(THUMB_WIDTH):
            is_floor = y + slant * (x - 8) > horizon
            colour = where.floor if is_floor else where.wall
            if abs(x - x_of) < wide and y > 2:
                colour = figure
            pixels += bytes(
                max(0, min(255, round(part * light + rng.uniform(-4, 4)))) for part in colour
            )
    return bytes(pixels)


@dataclass
class Story:
    """Shots one after the other, and the moments at which scenes begin."""

    seed: int = 0
    busy: float = 0.5
    shots: list[tuple[float, Thumb]] = field(default_factory=list)
    """Seconds that each stands, and what it shows."""
    scene_of: list[int] = field(default_factory=list)
    fades: set[int] = field(default_factory=set)
    """Scenes that are faded in from black."""

    def __post_init__(self) -> None:
        self.rng = random.Random(f"story {self.seed}")
        self._scenes = 0

    def _scene(self, pictures: Sequence[Thumb], lengths: Callable[[], float]) -> Story:
        self.shots += [(round(lengths() * FPS) / FPS, thumb) for thumb in pictures]
        self.scene_of += [self._scenes] * len(pictures)
        self._scenes += 1
        return self

    def talk(self, where: Place, shots: int = 10, set_ups: Sequence[int] = (0, 1)) -> Story:
        """Shot and reverse shot, and now and then another."""
        pictures = [
            shot(where, set_ups[at % len(set_ups)], self.rng, busy=self.busy) for at in range(shots)
        ]
        return self._scene(pictures, lambda: self.rng.uniform(1.6, 4))

    def montage(self, shots: int = 12) -> Story:
        """Quick pictures of which none is like another."""
        first = self.rng.randrange(10**6)
        pictures = [shot(place(first + at), at, self.rng, busy=self.busy) for at in range(shots)]
        return self._scene(pictures, lambda: self.rng.uniform(1, 2))

    def long_take(self, where: Place, shots: int = 8) -> Story:
        """One shot that wanders: what is seen of it every few seconds."""
        pictures = [shot(where, 7, self.rng, move=0.5 * at, busy=self.busy) for at in range(shots)]
        return self._scene(pictures, lambda: self.rng.uniform(4, 8))

    def faded(self) -> Story:
        """The scene to come is faded in, the one before it out."""
        self.fades.add(self._scenes)
        return self

    def begins_s(self) -> list[tuple[float, float]]:
        """From when to when each scene begins, the first one left out; a fade takes its time."""
        at_s, begins, before = 0.0, [], 0
        for (length_s, _), scene in zip(self.shots, self.scene_of, strict=True):
            if scene != before:
                fade_s = 2 * FADE_FRAMES / FPS if scene in self.fades else 0.0
                begins.append((at_s, at_s + fade_s))
                at_s += fade_s
            at_s, before = at_s + length_s, scene
        return begins

    def film(self, path: Path) -> Path:
        """Write it as a film."""
        thumbs: list[Thumb] = []
        before, scene_before = BLACK, 0
        for (length_s, thumb), scene in zip(self.shots, self.scene_of, strict=True):
            if scene != scene_before and scene in self.fades:
                thumbs += dissolve(before, BLACK, FADE_FRAMES) + dissolve(BLACK, thumb, FADE_FRAMES)
            thumbs += [thumb] * round(length_s * FPS)
            before, scene_before = thumb, scene
        return make_film(path, thumbs, PLAIN)


def stories(seed: int = 0, busy: float = 0.5) -> dict[str, Story]:
    """Return a story of each kind, by its name."""
    a, b, c, d, e, f = (place(100 * seed + at) for at in range(6))
    return {
        "talks": Story(seed, busy)
        .talk(a)
        .talk(b)
        .talk(c, 12, (0, 1, 2))
        .talk(d, 12, (0, 1, 0, 1, 2)),
        "montages": Story(seed, busy).talk(a).montage().talk(b).montage(15).talk(c),
        "one long take": Story(seed, busy).long_take(a, 16),
        "long takes": Story(seed, busy).long_take(a).talk(b).long_take(c).long_take(d),
        "fades": Story(seed, busy).talk(a).faded().talk(b).faded().long_take(c).faded().talk(d),
        "similar rooms": Story(seed, busy)
        .talk(a, 12)
        .talk(a.like(18), 12)
        .talk(e)
        .talk(e.like(-18)),
        "a return": Story(seed, busy).talk(a).talk(b, 16).talk(a).long_take(f).talk(b),
    }


def begins_of(parts: Sequence[int], times_s: Sequence[float]) -> list[float]:
    """Return when parts begin, the first one left out, as their numbers tell."""
    return [times_s[at] for at in range(1, len(parts)) if parts[at] != parts[at - 1]]


def f1(
    found_s: Sequence[float], known_s: Sequence[tuple[float, float]], keyframes_s: Sequence[float]
) -> float:
    """Return how well boundaries were found, each at the first keyframe of its scene.

    Args:
        found_s: Times of the keyframes that begin a part, the first one left out.
        known_s: From when to when scenes begin, the first one left out.
        keyframes_s: Times of all keyframes.
    """
    half_a_frame_s = 0.5 / FPS
    hits = 0
    for begin_s, end_s in known_s:
        first_s = next((at for at in keyframes_s if at >= end_s - half_a_frame_s), end_s)
        hits += any(begin_s - half_a_frame_s <= at <= first_s for at in found_s)
    return 2 * hits / (len(known_s) + len(found_s)) if known_s or found_s else 1.0
