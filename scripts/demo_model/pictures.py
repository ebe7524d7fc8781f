"""Makes the training pictures: drawn scenes and crops of photographs, graded at random."""

from __future__ import annotations

import io
from multiprocessing import Pool

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cinecut.demo.labels import PICTURE_SIDE_PX
from cinecut.film.picture.jpeg import fit_jpeg

# Packages and the paths in them; who made these pictures, and their licences: MODEL_CARD.md.
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/brick.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/grass.png"),
    ("skimage", "data/gravel.png"),
    ("skimage", "data/hubble_deep_field.jpg"),
    ("skimage", "data/retina.jpg"),
    ("skimage", "data/rocket.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)

# Width by height of the films of the world, and of telephones held upright.
_ASPECTS = (16 / 9, 16 / 9, 2.35, 2.35, 1.85, 4 / 3, 4 / 3, 1.0, 9 / 16)
_BATCH = 256

_photographs: list[Image.Image] = []


def make_pictures(count: int, seed: int, processes: int) -> list[np.ndarray]:
    """Return `count` pictures of `PICTURE_SIDE_PX`.

    The same seed gives the same pictures with the same releases of NumPy, Pillow and PyAV.
    """
    with Pool(processes, _load_photographs) as pool:
        return pool.map(_picture, [(seed, index) for index in range(count)], _BATCH)


def as_sent(picture: Image.Image) -> bytes:
    """Return `picture` as the JPEG that `describe` sends."""
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=95, subsampling=0)  # it may be of the model's size already
    return fit_jpeg(jpeg.getvalue(), PICTURE_SIDE_PX)


def pixels(jpeg: bytes) -> np.ndarray:
    """Return the pixels of a JPEG: rows x columns x RGB, 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def grade(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return `picture` with other light, other colours and another focus, as of another film."""
    if rng.random() < 0.3:
        picture = _blurred(picture, rng)
    rgb = np.asarray(picture, np.float32) / 255
    grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    strength = rng.choice([0.0, rng.uniform(0.1, 1), rng.uniform(0.7, 2.2)], p=[0.1, 0.4, 0.5])
    rgb = grey[..., None] + (rgb - grey[..., None]) * strength
    rgb = 0.5 + (rgb - 0.5) * rng.uniform(0.5, 1.4)
    rgb = np.clip(rgb, 0, 1) ** rng.uniform(0.6, 1.6)
    if strength and rng.random() < 0.6:
        rgb = rgb * _tint(rng)
    if rng.random() < 0.6:
        rgb = rgb * _light(rgb.shape[:2], rng)[..., None]
    # The mean brightness is drawn, not left to chance: a third of films' scenes are dark.
    wanted = rng.uniform(0.03, 0.85)
    rgb = rgb * np.clip(wanted / max(float(rgb.mean()), 0.02), 0.05, 4)
    if rng.random() < 0.4:
        rgb = rgb + rng.normal(0, rng.uniform(0.005, 0.06), rgb.shape[:2])[..., None]
    return Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))


def _picture(task: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(task)
    aspect = rng.choice(_ASPECTS) * rng.uniform(0.95, 1.05)
    side = int(rng.choice([112, 168, 224]))
    size = (side, max(8, round(side / aspect))) if aspect >= 1 else (round(side * aspect), side)
    drawn = rng.random() < 0.55
    picture = _scene(size, rng) if drawn else _crop(size, rng)
    if rng.random() < 0.9:
        picture = grade(picture, rng)
    if rng.random() < 0.03:  # fades and flat cards
        picture = Image.blend(picture, Image.new("RGB", size, _colour(rng)), rng.uniform(0.6, 1))
    return pixels(as_sent(picture))


def _load_photographs() -> None:
    from importlib.resources import files

    for module, path in PHOTOGRAPHS:
        with (files(module) / path).open("rb") as file:
            _photographs.append(Image.open(file).convert("RGB"))


def _crop(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A crop of a photograph, or two of them side by side or one above the other."""
    photograph = _photographs[rng.integers(len(_photographs))]
    fit = min(photograph.width / size[0], photograph.height / size[1])
    scale = fit * rng.uniform(0.35, 1)
    width, height = size[0] * scale, size[1] * scale
    left = rng.uniform(0, photograph.width - width)
    top = rng.uniform(0, photograph.height - height)
    box = (left, top, left + width, top + height)
    picture = photograph.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.25:
        other = _scene(size, rng) if rng.random() < 0.5 else _crop(size, rng)
        picture = Image.composite(picture, other, _mask(size, rng))
    if rng.random() < 0.3:  # other hues than the few photographs have
        hsv = np.array(picture.convert("HSV"))
        hsv[..., 0] += rng.integers(256, dtype=np.uint8)
        picture = Image.fromarray(hsv, "HSV").convert("RGB")
    return picture


def _scene(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Sky and ground, clouds, hills, things: nothing true, but lit and coloured like a scene."""
    palette = [_colour(rng) for _ in range(rng.integers(1, 6))]

    def colour() -> tuple[int, int, int]:
        base = np.array(palette[rng.integers(len(palette))], float)
        return tuple(int(value) for value in np.clip(base + rng.normal(0, 25, 3), 0, 255))

    picture = Image.composite(
        Image.new("RGB", size, colour()), Image.new("RGB", size, colour()), _mask(size, rng)
    )
    for _ in range(rng.integers(0, 4)):
        picture = Image.composite(Image.new("RGB", size, colour()), picture, _mask(size, rng))
    draw = ImageDraw.Draw(picture)
    many = rng.choice([0, rng.integers(1, 8), rng.integers(8, 120)], p=[0.25, 0.4, 0.35])
    largest = rng.uniform(0.05, 0.7 if many < 8 else 0.3)
    for _ in range(many):
        x, y = rng.uniform(-0.1, 1, 2) * size
        width, height = rng.uniform(0.1, 1, 2) * largest * max(size)
        box = [x, y, x + width, y + height]
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse(box, fill=colour())
        elif kind == 1:
            draw.rectangle(box, fill=colour())
        elif kind == 2:
            draw.polygon([tuple(rng.uniform(box[:2], box[2:])) for _ in range(3)], fill=colour())
        else:
            draw.line(box, fill=colour(), width=int(rng.integers(1, 6)))
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4)))
    if rng.random() < 0.4:  # grass, leaves, gravel
        fine = rng.normal(0, rng.uniform(4, 40), (size[1], size[0], 1))
        where = np.asarray(_mask(size, rng), np.float32)[..., None] / 255
        pixels = np.asarray(picture, np.float32) + fine * where
        picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return picture


def _mask(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A soft or a hard border: straight, round, hilly or cloudy."""
    width, height = size
    x = np.linspace(-1, 1, width)[None, :]
    y = np.linspace(-1, 1, height)[:, None]
    kind = rng.integers(4)
    if kind == 0:
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, 2 * np.pi)])
        field = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.8, 0.8)
    elif kind == 1:
        field = rng.uniform(0.2, 1.2) - np.hypot(x - rng.uniform(-1, 1), y - rng.uniform(-1, 1))
    elif kind == 2:
        hills = rng.normal(0, 0.4, int(rng.integers(3, 12)))
        field = y - np.interp(x, np.linspace(-1, 1, len(hills)), hills)
    else:
        cells = Image.fromarray(rng.normal(0, 1, (int(rng.integers(2, 12)),) * 2).astype("f4"))
        field = np.asarray(cells.resize(size, Image.Resampling.BICUBIC))
    softness = rng.choice([0.01, rng.uniform(0.02, 1.5)])
    field = np.broadcast_to(field / softness + 0.5, (height, width))
    return Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    hue, value = rng.uniform(0, 1), rng.uniform(0.05, 1)
    saturation = rng.choice([0.05, rng.uniform(0, 0.5), rng.uniform(0.4, 1)], p=[0.2, 0.4, 0.4])
    channel = (np.array([5, 3, 1]) + hue * 6) % 6
    rgb = value * (1 - saturation * np.clip(np.minimum(channel, 4 - channel), 0, 1))
    return tuple(int(part * 255) for part in rgb)


def _tint(rng: np.random.Generator) -> np.ndarray:
    """Light of a colour: most often the warm or the cold light of films, else any."""
    kind = rng.integers(4)
    if kind < 2:
        warmth = rng.uniform(0, 0.7) * (1 if kind else -1)
        return np.array([1 + warmth, 1, 1 - warmth], np.float32)
    if kind == 2:  # under water
        return np.array([rng.uniform(0.1, 0.8), 1, rng.uniform(0.8, 1.2)], np.float32)
    return rng.uniform(0.3, 1, 3).astype(np.float32)


def _light(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A falloff of light: from a side, from a spot, or towards the edges."""
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    low = rng.uniform(0, 0.8)
    if rng.random() < 0.5:
        angle = rng.choice([0, 0.5, 1, 1.5, rng.uniform(0, 2)]) * np.pi
        field = 0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle))
    else:
        centre = rng.normal(0, 0.3, 2)
        distance = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        field = np.exp(-distance / rng.uniform(0.1, 1.5))
        if rng.random() < 0.3:
            field = 1 - field
    return low + (1 - low) * np.clip(field, 0, 1).astype(np.float32)


def _blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    radius = rng.uniform(0.005, 0.03) * max(picture.size)
    if rng.random() < 0.5:
        return picture.filter(ImageFilter.GaussianBlur(radius))
    pixels = np.asarray(picture, np.float32)
    length, axis = max(2, round(radius * 3)), int(rng.integers(2))
    shifted = [np.roll(pixels, offset, axis) for offset in range(length)]
    return Image.fromarray(np.mean(shifted, 0).astype(np.uint8))
