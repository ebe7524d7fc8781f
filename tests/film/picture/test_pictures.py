"""The right picture: SDR colours, square pixels, no needless pixels."""

from __future__ import annotations

import colorsys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import Look, decode_jpeg, make_film, paint, picture, still

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.film.picture.jpeg import encode_jpeg, fit_jpeg
from cinecut.film.picture.tonemap import cube_lut


def jpeg_of(width: int, height: int) -> bytes:
    return encode_jpeg(paint(picture(1), 1, (width, height)).reformat(format="yuvj420p"))


def first_jpeg(film: Path, folder: Path) -> av.VideoFrame:
    with KeyframeScan(film, folder, KeyframeSettings()) as scan:
        return decode_jpeg(Path(next(iter(scan)).frame_path).read_bytes())


@pytest.mark.parametrize(
    ("size", "long_side", "fitted"),
    [((640, 360), 336, (336, 189)), ((360, 640), 336, (189, 336)), ((300, 200), 336, (300, 200))],
)
def test_a_picture_is_fitted_and_never_enlarged(
    size: tuple[int, int], long_side: int, fitted: tuple[int, int]
) -> None:
    frame = decode_jpeg(fit_jpeg(jpeg_of(*size), long_side))

    assert (frame.width, frame.height) == fitted


def test_what_needs_no_fitting_or_is_no_jpeg_comes_back_as_it_was() -> None:
    small = jpeg_of(200, 100)

    assert fit_jpeg(small, 200) is small
    assert fit_jpeg(b"no jpeg", 100) == b"no jpeg"
    assert fit_jpeg(b"", 100) == b""


def test_colours_are_as_fine_as_light_in_a_picture_for_a_model() -> None:
    """Stripes that end up one pixel wide stay red and blue instead of purple."""
    stripes = np.zeros((360, 640, 3), np.uint8)
    stripes[:, :, 2], stripes[:, 2::4] = 230, (230, 0, 0)
    stripes[:, 3::4] = (230, 0, 0)
    large = encode_jpeg(av.VideoFrame.from_ndarray(stripes, "rgb24").reformat(format="yuvj420p"))

    red, _, blue = decode_jpeg(fit_jpeg(large, 320)).to_ndarray(format="rgb24")[90, 160:162].T

    assert abs(int(red[0]) - int(red[1])) > 150
    assert abs(int(blue[0]) - int(blue[1])) > 150


def test_pictures_are_fitted_in_many_threads_at_once() -> None:
    large = jpeg_of(640, 360)
    with ThreadPoolExecutor(8) as pool:
        fitted = list(pool.map(lambda _: fit_jpeg(large, 336), range(64)))

    assert len(set(fitted)) == 1


@pytest.mark.parametrize(
    ("size", "aspect", "fitted"),
    [
        ((1920, 1080), None, (1195, 672)),
        ((720, 576), Fraction(64, 45), (1024, 576)),
        ((1440, 1080), Fraction(4, 3), (1195, 672)),
    ],
)
def test_the_short_side_is_at_most_672_pixels(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction | None, fitted: tuple[int, int]
) -> None:
    film = make_film(tmp_path / "film.mp4", still(1, 5), Look(size=size, sample_aspect=aspect))

    frame = first_jpeg(film, tmp_path / "frames")

    assert (frame.width, frame.height) == fitted


@pytest.mark.parametrize("colour_range", [1, 2])
def test_limited_and_full_range_give_the_same_picture(tmp_path: Path, colour_range: int) -> None:
    """A white and a black block come out as they were painted."""
    range_of = ("scale", f"out_range={'tv' if colour_range == 1 else 'pc'}:out_color_matrix=bt709")
    look = Look(colours=(colour_range, 1, 1, 1), filters=(range_of,))
    film = make_film(tmp_path / "film.mp4", still(1, 5), look)

    gray = first_jpeg(film, tmp_path / "frames").reformat(format="gray")

    plane = gray.planes[0]
    row = bytes(plane)[10 * plane.line_size :]
    assert row[10] == pytest.approx(232, abs=4)
    assert row[30] == pytest.approx(24, abs=4)


@pytest.mark.parametrize("kind", ["PQ", "HLG"])
def test_tone_mapping_keeps_grey_grey_and_colour_colourful(kind: str) -> None:
    """Paper white of 203 nits comes out light, black black, and red saturated."""
    rows = cube_lut(kind).splitlines()[1:]
    shown = [tuple(map(float, row.split())) for row in rows]
    white_code = 0.58 if kind == "PQ" else 0.75

    def at(*codes: float) -> tuple[float, ...]:
        red, green, blue = (round(code * 32) for code in codes)
        return shown[red + 33 * green + 33 * 33 * blue]

    assert at(0, 0, 0) == (0, 0, 0)
    white = at(white_code, white_code, white_code)
    assert max(white) - min(white) < 0.01
    assert 0.55 < white[0] < 0.9
    assert min(at(1, 1, 1)) > 0.98
    assert colorsys.rgb_to_hsv(*at(white_code, 0.2, 0.2))[1] > 0.9
