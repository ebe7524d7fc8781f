"""A scene stands for its film from half way to the one before to half way to the next."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cut_films import describe, hits_in
from hypothesis import given
from hypothesis import strategies as st

from cinecut.excerpts.spans import excerpts_of, span
from cinecut.excerpts.timecode import Timebase
from cinecut.film.reading.counting import RATES, nearest_rate


@pytest.mark.parametrize(
    ("at_s", "length_s", "is_whole", "expected"),
    [
        (2.0, 20.0, True, (0.0, 4.0)),
        (6.0, 20.0, True, (4.0, 8.0)),
        (10.0, 20.0, True, (8.0, 20.0)),
        (10.0, 20.0, False, (8.0, 12.0)),
        (10.0, 11.0, False, (8.0, 11.0)),
        (10.0, None, True, (8.0, 12.0)),
        (10.0, 5.0, True, (8.0, 12.0)),  # a length that is wrong
        (7.0, 20.0, True, (6.5, 8.5)),  # a scene that the journal has no longer
    ],
)
def test_it_ends_half_way_and_with_the_film(
    at_s: float, length_s: float | None, is_whole: bool, expected: tuple[float, float]
) -> None:
    assert span(at_s, [2.0, 6.0, 10.0], length_s, is_whole=is_whole) == expected


def test_a_lone_scene_of_unknown_length_is_no_empty_span() -> None:
    assert span(0.0, [0.0], None, is_whole=True) == (0.0, 1.0)


def test_scenes_without_words_end_a_scene_too(tmp_path: Path) -> None:
    folder = describe(tmp_path / "a.mkv", 0.0, 10.0, 20.0, length_s=30)
    journal = folder / "scenes.jsonl"
    first, one, two, three = journal.read_text().splitlines(keepends=True)
    skipped = two[: two.index('"description"')] + '"description":null,"skipped":{"reason":'
    skipped += '"timeout","detail":""},"elapsed_s":0.1}\n'
    journal.write_text(first + one + skipped + three)

    excerpts = list(excerpts_of(hits_in(tmp_path), pytest.fail))

    assert [(each.scene, each.begin_s, each.end_s) for each in excerpts] == [
        (0, 0.0, 5.0),
        (2, 15.0, 30.0),
    ]


TIMEBASES = [Timebase(rate, is_drop=False) for rate in RATES]
TIMEBASES += [Timebase(Fraction(n * 1000, 1001), is_drop=True) for n in (30, 60)]


@given(st.sampled_from(TIMEBASES), st.integers(0, 23 * 3600 * 24))
def test_a_timecode_is_one_frames_own(timebase: Timebase, frame: int) -> None:
    text = timebase.timecode(frame)
    assert timebase.frame_at(text) == frame
    if timebase.is_drop:  # it agrees with the clock
        hour, minute, second, _ = map(int, text.replace(";", ":").split(":"))
        clock_s = float(frame / timebase.rate)
        assert 3600 * hour + 60 * minute + second == pytest.approx(clock_s, abs=1.1)


@pytest.mark.parametrize("text", ["", "1:00:00:00", "00:00:60:00", "00:00:00:25", "x" * 11])
def test_what_is_no_timecode_is_none(text: str) -> None:
    assert Timebase(Fraction(25), is_drop=False).frame_at(text) is None


@pytest.mark.parametrize(
    ("mean", "rate", "is_exact"),
    [
        (Fraction(19001, 317), Fraction(60000, 1001), True),  # as Matroska rounds it
        (Fraction(15), Fraction(30), False),
        (Fraction(120), Fraction(60), False),
        (Fraction(2917, 100), Fraction(30000, 1001), False),
        (Fraction(1, 10), Fraction(25), False),
        (None, Fraction(25), False),
    ],
)
def test_an_odd_rate_is_counted_by_the_nearest(
    mean: Fraction | None, rate: Fraction, is_exact: bool
) -> None:
    assert nearest_rate(mean) == (rate, is_exact)
