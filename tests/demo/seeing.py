"""Makes pictures for the demo model, and measures a JPEG as it is sent."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from cinecut.demo.labels import PICTURE_SIDE_PX, Measures, measure
from cinecut.demo.sentences import judge, read
from cinecut.film.picture.jpeg import fit_jpeg

WIDTH_PX, HEIGHT_PX = 320, 180

COLOURS = {
    "red": (200, 30, 30),
    "green": (40, 150, 50),
    "blue": (40, 70, 190),
    "yellow": (220, 210, 40),
    "grey": (120, 120, 120),
    "black": (6, 6, 6),
    "white": (240, 240, 240),
}


def jpeg(pixels: np.ndarray) -> bytes:
    """Return a picture as a JPEG, scaled as a model gets it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return fit_jpeg(file.getvalue(), PICTURE_SIDE_PX)


def plain(colour: tuple[int, int, int]) -> np.ndarray:
    """Return a picture of one colour, with a little grain."""
    grain = np.random.default_rng(1).integers(-5, 6, (HEIGHT_PX, WIDTH_PX, 1))
    return np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)


def measured(picture: bytes) -> Measures:
    """Measure a JPEG."""
    return measure(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")))


def verdict(description: Mapping[str, str], picture: bytes) -> dict[str, bool]:
    """Judge what was said of a JPEG, attribute by attribute."""
    said = read(description)
    assert said is not None, description
    return judge(said, measured(picture))
