"""The right moments: one frame a shot, no long gap, no near-duplicates, a budget kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from films import BLACK, Look, Thumb, blend, decode_jpeg, dissolve, make_film, picture, still

from cinecut.film.moments.shots import ShotDetector

FPS = 25
WHITE: Thumb = b"\xfa" * len(BLACK)


class KnownCuts:
    """A film whose shots are known: (first frame, frame after the last) and boundaries."""

    def __init__(self) -> None:
        self.thumbs: list[Thumb] = []
        self.shots: list[tuple[int, int]] = []
        self.boundaries_s: list[float] = []

    def shot(self, frames: int) -> KnownCuts:
        start = len(self.thumbs)
        self.thumbs += still(len(self.shots) + 1, frames)
        self.shots.append((start, start + frames))
        return self

    def cut(self) -> KnownCuts:
        return self._boundary(0)

    def dissolve(self, frames: int) -> KnownCuts:
        self._boundary(frames / 2)
        self.thumbs += dissolve(*self._neighbours(), frames)
        return self

    def fade(self, frames: int, black: int) -> KnownCuts:
        self._boundary(frames + black / 2)
        one, other = self._neighbours()
        self.thumbs += dissolve(one, BLACK, frames) + [BLACK] * black
        self.thumbs += dissolve(BLACK, other, frames)
        return self

    def flash(self, frames: int) -> KnownCuts:
        self.thumbs += [WHITE] * frames + [picture(len(self.shots))] * FPS
        return self

    def _neighbours(self) -> tuple[Thumb, Thumb]:
        return picture(len(self.shots)), picture(len(self.shots) + 1)

    def _boundary(self, later: float) -> KnownCuts:
        self.boundaries_s.append((len(self.thumbs) + later) / FPS)
        return self


@pytest.fixture(scope="module")
def known() -> KnownCuts:
    film = KnownCuts()
    film.shot(60).cut().shot(50).dissolve(25).shot(75).fade(20, 12).shot(60).cut()
    film.shot(10).cut().shot(70).dissolve(50).shot(60).fade(12, 0).shot(80).cut()
    film.shot(13).cut().shot(13).cut().shot(50).flash(2).cut().shot(1600).dissolve(15)
    film.shot(60).fade(35, 12).shot(50).cut().shot(8).cut().shot(9).cut().shot(40)
    return film


@pytest.fixture(scope="module")
def known_film(known: KnownCuts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("known") / "known.mp4", known.thumbs)


@pytest.fixture
def found_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The shot boundaries of the scan that follows, in seconds."""
    found: list[float] = []

    class Watched(ShotDetector):
        def add(self, *frame):
            changes = super().add(*frame)
            found.extend(float(change.middle) for change in changes)
            return changes

    monkeypatch.setattr("cinecut.film.keyframes.ShotDetector", Watched)
    return found


def test_cuts_fades_and_dissolves_give_one_boundary_each(
    known: KnownCuts, known_film: Path, found_s: list[float], scan: Callable
) -> None:
    scan(known_film)

    assert len(known.boundaries_s) == len(found_s)
    for there, found in zip(known.boundaries_s, found_s, strict=True):
        assert there == pytest.approx(found, abs=0.4)


def test_every_shot_of_half_a_second_has_a_frame_that_shows_it(
    known: KnownCuts, known_film: Path, scan: Callable
) -> None:
    records, _ = scan(known_film)

    frames = [round(record.timestamp_s * FPS) for record in records]
    for first, end in known.shots:
        if end - first >= FPS / 2:
            assert any(first <= frame < end for frame in frames), (first / FPS, end / FPS)


def test_no_gap_is_longer_than_the_interval_ends_included(known_film: Path, scan: Callable) -> None:
    for interval in (30, 7, 0.9):
        records, report = scan(known_film, interval_s=interval)
        moments = [0.0, *(record.timestamp_s for record in records), report.position_s]

        assert max(b - a for a, b in pairwise(moments)) <= interval + 1 / FPS


def test_a_film_without_any_change_has_interval_frames_alone(
    tmp_path: Path, scan: Callable
) -> None:
    film = make_film(tmp_path / "still.mp4", still(1, 40 * FPS))

    records, _ = scan(film, interval_s=10)

    assert {"interval_fallback"} == {record.source for record in records}
    assert 4 <= len(records) <= 5


def test_the_frame_of_a_shot_is_near_its_middle(tmp_path: Path, scan: Callable) -> None:
    film = make_film(tmp_path / "two.mp4", [*still(1, 200), *still(2, 300)])

    records, _ = scan(film)

    assert [record.source for record in records] == ["scene_change"] * 2
    assert [record.timestamp_s for record in records] == pytest.approx([4, 14], abs=1.5)


def test_a_dark_middle_is_left_for_a_better_frame(tmp_path: Path, scan: Callable) -> None:
    """The lights go down for the middle third of the shot, and a light picture is taken."""
    dim = blend(picture(1), BLACK, 0.65)
    down, up = dissolve(picture(1), dim, 12), dissolve(dim, picture(1), 12)
    thumbs = [*still(1, 40), *down, *[dim] * 40, *up, *still(1, 40)]
    film = make_film(tmp_path / "dark.mp4", thumbs, Look(has_index=False))

    records, _ = scan(film)

    assert len(records) == 1
    assert mean_level(Path(records[0].frame_path)) > 70


def test_near_duplicates_in_a_shot_are_merged_into_the_subtitle(
    tmp_path: Path, scan: Callable
) -> None:
    film = make_film(tmp_path / "talk.mp4", [*still(1, 100), *still(2, 100)], Look(has_index=False))
    film.with_suffix(".srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nOne\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo\n"
    )

    merged, report = scan(film)
    kept, _ = scan(film, keep_duplicates=True)

    assert [record.source for record in merged] == ["subtitle_midpoint", "scene_change"]
    assert merged[0].timestamp_s == pytest.approx(1.48)
    assert report.merged == 2
    assert len(kept) == 4


@pytest.mark.parametrize("budget", [1, 2, 5, 100])
def test_a_budget_is_spread_over_the_whole_film(
    tmp_path: Path, scan: Callable, budget: int
) -> None:
    film = make_film(
        tmp_path / "many.mp4", [thumb for seed in range(20) for thumb in still(seed, 40)]
    )

    records, _ = scan(film, max_frames=budget)

    assert min(budget, 20) == len(records)
    slots = {int(record.timestamp_s / (32 / budget)) for record in records}
    assert budget > 20 or set(range(budget)) == slots


def test_a_second_scan_gives_the_same_records(known_film: Path, scan: Callable) -> None:
    assert scan(known_film)[0] == scan(known_film)[0]


def mean_level(jpeg: Path) -> float:
    frame = decode_jpeg(jpeg.read_bytes()).reformat(8, 8, "gray", interpolation="AREA")
    plane = frame.planes[0]
    return sum(sum(bytes(plane)[y * plane.line_size :][:8]) for y in range(8)) / 64
