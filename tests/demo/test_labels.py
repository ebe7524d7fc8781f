"""What may truly be said of a picture."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageFilter
from seeing import COLOURS, plain

from cinecut.demo.labels import (
    BRIGHTNESS,
    DETAIL,
    EVEN,
    PLACES,
    SATURATION,
    SHARPNESS,
    TEMPERATURE,
    Labels,
    Measures,
    label,
    measure,
)
from cinecut.demo.labels import COLOURS as NAMES
from cinecut.demo.sentences import all_pieces, judge, pieces, read, say

pictures = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
    elements=st.integers(0, 255),
)


@given(pictures)
@settings(max_examples=60, deadline=None)
def test_what_is_said_of_any_picture_can_be_read_back_and_is_true(pixels: np.ndarray) -> None:
    measures = measure(pixels)
    said = read(say(label(measures)))

    assert said is not None
    assert set(judge(said, measures).values()) == {True}


@given(pictures)
@settings(max_examples=60, deadline=None)
def test_the_shares_of_the_colours_add_up(pixels: np.ndarray) -> None:
    shares = measure(pixels).shares

    assert len(NAMES) == len(shares)
    assert sum(shares) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", COLOURS)
def test_a_picture_of_one_colour_has_that_colour(name: str) -> None:
    labels = label(measure(plain(COLOURS[name])))

    assert (name, None) == (labels.colour, labels.second_colour)


@pytest.mark.parametrize(
    ("luma", "name"), [(10, "very dark"), (60, "dark"), (120, "moderately bright"), (200, "bright")]
)
def test_brightness_follows_the_light(luma: int, name: str) -> None:
    assert name == label(measure(plain((luma, luma, luma)))).brightness


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_the_light_is_where_the_picture_is_bright(side: str) -> None:
    pixels = plain((20, 20, 20))
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    half = {
        "left": np.s_[:, :columns],
        "right": np.s_[:, columns:],
        "top": np.s_[:rows],
        "bottom": np.s_[rows:],
    }
    pixels[half[side]] = 200

    assert side == label(measure(pixels)).place


def test_light_that_is_red_is_warm_and_light_that_is_blue_is_cold() -> None:
    assert label(measure(plain((150, 110, 70)))).temperature == "warm"
    assert label(measure(plain((70, 110, 150)))).temperature == "cold"


def test_a_blurred_picture_is_soft_and_a_sharp_one_sharp() -> None:
    sharp = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(4)))

    assert label(measure(sharp)).sharpness == "sharp"
    assert label(measure(blurred)).sharpness == "soft"


def test_a_false_word_is_found_false() -> None:
    """A judge that called all true would make every figure about the model worthless."""
    red = measure(plain(COLOURS["red"]))
    blue: Measures = measure(plain(COLOURS["blue"]))
    said = read(say(label(red)))

    assert said is not None
    verdict = judge(said, blue)
    assert not verdict["colour"]
    assert not verdict["light"]


@pytest.mark.parametrize("field", ["visual_content", "mood", "action", "setting"])
def test_a_sentence_of_somebody_else_is_not_understood(field: str) -> None:
    description = say(label(measure(plain(COLOURS["red"]))))

    assert read(description) is not None
    assert read({**description, field: "A man walks."}) is None


@given(
    st.builds(
        Labels,
        *map(st.sampled_from, (BRIGHTNESS.names, SATURATION.names, NAMES, [None, *NAMES])),
        *map(st.sampled_from, (DETAIL.names, SHARPNESS.names, TEMPERATURE.names, [*PLACES, EVEN])),
    )
)
@settings(deadline=None)
def test_all_that_can_be_said_is_one_plain_sentence_a_field(labels: Labels) -> None:
    for sentence in say(labels).values():
        assert re.fullmatch(r"[A-Z][a-z]*(,? [a-z]+)+\.", sentence), sentence


@given(pixels=pictures, chroma=st.integers(1, 9))
@settings(deadline=None)
def test_what_has_no_colour_has_no_warmth(pixels: np.ndarray, chroma: int) -> None:
    """A few levels of red in the dark are no fire."""
    nearly_grey = pixels[..., :1] // 2 + pixels % chroma
    labels = label(measure(nearly_grey.astype(np.uint8)))

    assert labels.saturation != "colourless" or labels.temperature == "neutral"


def test_the_vocabulary_holds_every_piece_and_no_quote() -> None:
    labels = label(measure(plain(COLOURS["green"])))
    used = {piece for words in pieces(labels).values() for piece in words}

    assert used <= set(all_pieces())
    assert not [piece for piece in all_pieces() if '"' in piece or "\\" in piece]
