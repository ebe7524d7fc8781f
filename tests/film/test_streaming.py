"""Records come while the film is decoded, and memory does not grow with the film."""

from __future__ import annotations

from pathlib import Path

import pytest
from films import Look, make_film, still

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings

STATM = Path("/proc/self/statm")


def test_the_first_record_comes_with_the_first_shot(tmp_path: Path) -> None:
    """The decoder stands a few seconds past the shot, the longest dissolve's time to prove."""
    film = make_film(tmp_path / "film.mp4", [*still(1, 50), *still(2, 750)])

    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as scan:
        first = next(iter(scan))

        assert first.timestamp_s < 2
        assert scan.report.position_s < 2 + 1


def test_without_subtitles_nothing_waits_for_what_is_said(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", [*still(1, 50), *still(2, 200)])

    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as scan:
        found = scan.in_full()
        first, said, _ = next(found)

        assert first.timestamp_s < 2
        assert scan.report.position_s < 2 + 1
        assert said == ()
        assert len(list(found)) == 1


def test_the_first_record_of_a_long_shot_comes_with_the_interval(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", still(1, 800))

    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings(interval_s=10)) as scan:
        next(iter(scan))

        assert scan.report.position_s < 10 + 0.1


def test_pictures_lie_on_disk_when_their_record_comes(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", [*still(1, 50), *still(2, 50), *still(3, 50)])

    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as scan:
        for count, record in enumerate(scan, start=1):
            path = Path(record.frame_path)
            assert path.is_absolute()
            assert path.name == f"{round(record.timestamp_s * 1000):09d}.jpg"
            assert len(list(path.parent.iterdir())) == count == scan.report.found


@pytest.mark.skipif(not STATM.exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path, speed: str) -> None:
    """Eighty pictures more would be 55 MiB more, if their frames were kept."""
    look = Look(size=(960, 480), options={"preset": "ultrafast", "g": "3"})
    film = make_film(tmp_path / "film.mp4", still(1, 300), look)
    settings = KeyframeSettings(interval_s=0.12, keep_duplicates=True, scan=speed)

    with KeyframeScan(film, tmp_path / "frames", settings) as scan:
        resident_mib = [
            int(STATM.read_text().split()[1]) * 4096 / 2**20 for _ in scan if scan.report.found
        ]

    assert len(resident_mib) > 90
    assert resident_mib[-1] - resident_mib[15] < 15
