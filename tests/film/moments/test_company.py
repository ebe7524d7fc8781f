"""A keyframe's other moments are of its own shot, in time order, and few."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from films import Look, Thumb, blend, dissolve, index_of, make_film, mux_subtitles, picture, still

from cinecut.errors import UsageError
from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.models import KeyframeRecord, Moment

RATE = 25
Found = list[tuple[KeyframeRecord, tuple[Moment, ...]]]


def moving(seed: int, frames: int) -> list[Thumb]:
    """A shot that turns slowly into something else, too slowly for a change."""
    one, other = picture(seed), blend(picture(seed), picture(seed + 1000), 0.3)
    return [blend(one, other, number / frames) for number in range(frames)]


def found_in(film: Path, folder: Path, **settings: Any) -> Found:
    with KeyframeScan(film, folder / "frames", KeyframeSettings(**settings)) as scan:
        return [(record, moments) for record, _, moments in scan.in_full()]


def shown_in(found: Found) -> list[list[int]]:
    """The indices of each keyframe's pictures, its own included, read from their pixels."""
    shown = []
    for record, moments in found:
        own = Moment(record.timestamp_s, Path(record.frame_path).read_bytes())
        for moment in (own, *moments):
            assert index_of(moment.jpeg) == round(moment.timestamp_s * RATE)
        assert [*moments] == sorted(moments, key=lambda moment: moment.timestamp_s)
        shown.append(sorted(index_of(moment.jpeg) for moment in (own, *moments)))
    return shown


SHOTS = (50, 75, 40, 100, 60)
EDGES = [sum(SHOTS[:number]) for number in range(len(SHOTS) + 1)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    thumbs = [thumb for seed, frames in enumerate(SHOTS) for thumb in moving(seed, frames)]
    return make_film(
        tmp_path_factory.mktemp("moments") / "film.mkv",
        thumbs,
        Look(options={"preset": "ultrafast", "g": "12"}),
    )


@pytest.mark.parametrize("most", [2, 3, 4])
def test_each_shot_gives_as_many_spread_over_it(film: Path, tmp_path: Path, most: int) -> None:
    shown = shown_in(found_in(film, tmp_path, moments=most))

    assert [len(indices) for indices in shown] == [most] * len(SHOTS)
    for indices, (begin, end) in zip(shown, pairwise(EDGES), strict=True):
        assert begin <= indices[0]
        assert indices[-1] < end
        assert min(b - a for a, b in pairwise(indices)) >= (end - begin) / (3 * most)


@pytest.mark.parametrize("settings", [{}, {"scan": "iframes"}, {"interval_s": 1.3}])
def test_keyframes_are_the_same_with_moments_and_without(
    film: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    alone = found_in(film, tmp_path / "one", **settings)
    joined = found_in(film, tmp_path / "four", moments=4, **settings)

    assert [record.timestamp_s for record, _ in joined] == [one.timestamp_s for one, _ in alone]
    assert not any(moments for _, moments in alone)
    assert any(moments for _, moments in joined)
    assert shown_in(joined) == shown_in(found_in(film, tmp_path / "again", moments=4, **settings))


def shot_of(index: int) -> int:
    return sum(edge <= index for edge in EDGES[1:])


@pytest.mark.parametrize("scan", ["full", "iframes"])
@pytest.mark.parametrize("interval_s", [0.4, 1.1, 2.3, 30])
def test_no_moment_is_of_another_shot(
    film: Path, tmp_path: Path, scan: str, interval_s: float
) -> None:
    """Frames for the interval and subtitles are given out before their shot's end is known."""
    lines = [(0.7 * n, 0.7 * n + 0.3, f"line {n}") for n in range(17)]
    spoken = mux_subtitles(film, tmp_path / "spoken.mkv", "srt", lines)

    shown = shown_in(found_in(spoken, tmp_path, moments=4, scan=scan, interval_s=interval_s))

    assert len(shown) > 5
    assert [indices for indices in shown if len({*map(shot_of, indices)}) > 1] == []
    if interval_s > 1:  # else there is a keyframe wherever there is a picture
        assert any(len(indices) > 1 for indices in shown)


def test_no_moment_is_of_a_dissolve_or_beyond_it(tmp_path: Path) -> None:
    """A dissolve is known seconds after the frame for the interval was due."""
    one, other = moving(1, 90), moving(2, 90)
    film = make_film(tmp_path / "film.mkv", [*one, *dissolve(one[-1], other[0], 30), *other])

    for interval_s in (1.0, 1.7, 4.5, 30):
        shown = shown_in(found_in(film, tmp_path, moments=4, interval_s=interval_s))
        for indices in shown:
            if len(indices) > 1 and not any(90 <= index < 120 for index in indices):
                assert len({index < 100 for index in indices}) == 1, shown
        joined = [index for indices in shown if len(indices) > 1 for index in indices]
        assert joined


def test_what_stands_still_or_is_very_short_has_one_picture(tmp_path: Path) -> None:
    thumbs = [*still(1, 100), *still(2, 100), *moving(3, 3), *still(4, 60)]
    film = make_film(tmp_path / "film.mkv", thumbs, Look(has_index=False))

    found = found_in(film, tmp_path, moments=4)

    assert len(found) >= 3
    assert [len(moments) for _, moments in found] == [0] * len(found)


def test_a_budget_keeps_the_moments_of_what_it_keeps(film: Path, tmp_path: Path) -> None:
    shown = shown_in(found_in(film, tmp_path, moments=3, max_frames=2))

    assert [len(indices) for indices in shown] == [3, 3]


@pytest.mark.parametrize("most", [-1, 0, 5, 10**9])
def test_other_numbers_are_refused(most: int) -> None:
    with pytest.raises(UsageError, match="1 to 4 moments"):
        KeyframeSettings(moments=most)
