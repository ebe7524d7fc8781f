"""Bad input ends in one clear error with nothing written; damage costs only itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from films import Look, index_of, make_film, make_sound, still

from cinecut.errors import FilmError, OutputError, UsageError
from cinecut.film.identity import identify
from cinecut.film.keyframes import KeyframeScan, KeyframeSettings


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film.mp4", [*still(1, 60), *still(2, 60)])


def missing(folder: Path) -> Path:
    return folder / "missing.mkv"


def folder(folder: Path) -> Path:
    return folder


def empty(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def text(folder: Path) -> Path:
    path = folder / "text.mkv"
    path.write_text("This is not a film.\n" * 200)
    return path


def terminal_art(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("This is not a film.\n" * 200)
    return path


def playlist(folder: Path) -> Path:
    path = folder / "list.mkv"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n")
    return path


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mkv")
    return folder / "pipe.mkv"


def device(folder: Path) -> Path:
    return Path(os.devnull)


def sound(folder: Path) -> Path:
    return make_sound(folder / "sound.mka")


def unfinished(folder: Path) -> Path:
    whole = make_film(folder / "whole.mp4", still(1, 50))
    path = folder / "unfinished.mp4"
    path.write_bytes(whole.read_bytes().partition(b"moov")[0])
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (missing, "No such file"),
        (folder, "folder"),
        (empty, "empty"),
        (text, "no film"),
        (terminal_art, "text file"),
        (playlist, ""),
        (pipe, "not a file"),
        (device, "not a file"),
        (sound, "no video stream"),
        (unfinished, "unfinished"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="named pipes lie elsewhere on Windows")
def test_what_is_no_film_is_one_clear_error(
    tmp_path: Path, make: Callable[[Path], Path], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)

    with pytest.raises(FilmError) as caught:
        KeyframeScan(path, tmp_path / "frames", KeyframeSettings())

    assert reason in caught.value.reason
    assert not (tmp_path / "frames").exists()
    assert capfd.readouterr() == ("", "")


def test_a_truncated_film_gives_what_can_be_read_and_says_so(
    tmp_path: Path, scan: Callable
) -> None:
    whole = make_film(tmp_path / "whole.mkv", [*still(1, 100), *still(2, 100)])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10])

    records, report = scan(cut)

    assert records
    assert report.damaged
    assert sum("damaged" in notice for notice in report.notices) == 1
    assert any("its header says 8.0 s" in notice for notice in report.notices)


def test_broken_packets_cost_only_themselves(tmp_path: Path, scan: Callable) -> None:
    whole = make_film(
        tmp_path / "whole.ts", [*still(1, 100), *still(2, 100)], Look(options={"g": "10"})
    )
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 6] = bytes(188 * 6)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data)

    records, report = scan(broken, interval_s=1)

    assert report.damaged
    assert records[-1].timestamp_s > 7
    assert 190 < index_of(Path(records[-1].frame_path).read_bytes()) < 200 or len(records) > 6


def test_a_full_disk_is_an_output_error(film: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "frames"
    in_the_way.write_text("a file where the folder should be")

    with KeyframeScan(film, in_the_way, KeyframeSettings()) as scan, pytest.raises(OutputError):
        next(iter(scan))


def test_a_cancelled_scan_stops_at_once(film: Path, tmp_path: Path) -> None:
    cancelled: list[bool] = []
    settings = KeyframeSettings(interval_s=0.5)
    with KeyframeScan(
        film, tmp_path / "frames", settings, is_cancelled=lambda: bool(cancelled)
    ) as scan:
        records = iter(scan)
        next(records)
        cancelled.append(True)

        assert list(records) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted by /proc")
@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_closing_frees_the_decoder_and_the_file(film: Path, tmp_path: Path, speed: str) -> None:
    def held() -> tuple[int, ...]:
        return tuple(len([*Path("/proc/self", kind).iterdir()]) for kind in ("task", "fd"))

    before = held()
    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings(scan=speed)) as scan:
        records = iter(scan)
        next(records)
        assert held() > before
    scan.close()

    assert held() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"interval_s": 0},
        {"interval_s": float("nan")},
        {"scene_threshold": 0},
        {"scene_threshold": 1.5},
        {"scan": "slow"},
        {"max_frames": 0},
        {"use_subtitles": False, "subtitles": Path("a.srt")},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        KeyframeSettings(**settings)


def test_another_film_under_the_same_name_has_another_identity(film: Path) -> None:
    first = identify(film)
    status = film.stat()
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)
    os.utime(film, ns=(status.st_atime_ns, status.st_mtime_ns))

    second = identify(film)

    assert (first.size_bytes, first.mtime_ns) == (second.size_bytes, second.mtime_ns)
    assert first.digest != second.digest
