"""A title set of a DVD is one film, and its menus are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from films import Look, index_of, make_film, still

from cinecut.errors import FilmError
from cinecut.film.identity import identify
from cinecut.film.listing import list_films
from cinecut.film.reading.joined import JoinedFile

MPEG2 = Look(codec="mpeg2video", options={"b": "3000000", "g": "25"})


@pytest.fixture(scope="module")
def dvd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVD whose film of 8 s is cut by bytes, as DVDs are, in a folder with a | in its name."""
    disc = tmp_path_factory.mktemp("disc | 1")
    folder = disc / "VIDEO_TS"
    folder.mkdir()
    raw = make_film(disc / "film.mpg", [*still(1, 100), *still(2, 100)], MPEG2)
    data = raw.read_bytes()
    raw.unlink()
    third = len(data) // 3
    for number in range(3):
        piece = data[third * number : third * (number + 1) if number < 2 else None]
        (folder / f"VTS_01_{number + 1}.VOB").write_bytes(piece)
    for name in ("VIDEO_TS.VOB", "VTS_01_0.VOB", "VTS_02_1.VOB"):
        (folder / name).write_bytes(data[:third])
    return disc


def test_a_dvd_has_a_film_for_each_title_set(dvd: Path) -> None:
    found = [path.name for path in list_films([dvd], recursive=True)]

    assert found == ["VTS_01_1.VOB", "VTS_02_1.VOB"]


@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_a_title_set_is_read_to_its_end(dvd: Path, scan: Callable, speed: str) -> None:
    records, report = scan(
        dvd / "VIDEO_TS" / "VTS_01_1.VOB", scan=speed, interval_s=1.7, keep_duplicates=True
    )

    shown = [index_of(Path(record.frame_path).read_bytes()) for record in records]
    assert shown == [round(record.timestamp_s * 25) for record in records]
    assert {index // 100 for index in shown} == {0, 1}
    assert report.position_s == pytest.approx(8.0, abs=0.1)
    assert report.damaged == 0
    assert report.notices[0] == (
        "It is a title set of a DVD: its 3 files are one film. Menus are left out."
    )


def test_a_title_set_is_known_by_all_its_files(dvd: Path, tmp_path: Path) -> None:
    for path in (dvd / "VIDEO_TS").glob("VTS_01_*"):
        (tmp_path / path.name.lower()).write_bytes(path.read_bytes())
    first, last = tmp_path / "vts_01_1.vob", tmp_path / "vts_01_3.vob"
    before = identify(first)

    last.write_bytes(last.read_bytes()[:-1] + b"x")

    assert before.digest == identify(dvd / "VIDEO_TS" / "VTS_01_1.VOB").digest
    assert before.digest != identify(first).digest
    last.unlink()
    last.mkdir()
    with pytest.raises(FilmError):
        identify(first)


def test_a_joined_file_is_sought_anywhere(tmp_path: Path) -> None:
    for name, content in (("a", b"012"), ("b", b""), ("c", b"3456")):
        (tmp_path / name).write_bytes(content)
    file = JoinedFile([tmp_path / name for name in "abc"])

    assert [file.read(2), file.read(2), file.read(9), file.read(9)] == [b"01", b"2", b"3456", b""]
    assert (file.seek(-2, 2), file.read(1), file.seek(1), file.read(2)) == (5, b"5", 1, b"12")
    file.close()


def test_a_clip_of_a_blu_ray_says_that_it_is_one(tmp_path: Path, scan: Callable) -> None:
    folder = tmp_path / "BDMV" / "STREAM"
    folder.mkdir(parents=True)
    make_film(folder / "film.ts", still(1, 25)).rename(folder / "00001.m2ts")

    _, report = scan(folder / "00001.m2ts")

    (notice,) = report.notices
    assert notice.startswith("It is one clip of a Blu-ray disc")
