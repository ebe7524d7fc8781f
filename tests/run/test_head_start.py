"""A film is scanned while its server gets ready: the same keyframes, and nothing written early."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import command
import pytest
from films import Look, make_film, still
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import FilmError
from cinecut.film.keyframes import Found, KeyframeScan, KeyframeSettings
from cinecut.run import head_start
from cinecut.run.head_start import HeadStart

SHOTS = 24
SRT = "1\n00:00:01,000 --> 00:00:02,000\nSaid early.\n\n2\n00:00:14,000 --> 00:00:15,000\nLate.\n"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    thumbs = [thumb for seed in range(SHOTS) for thumb in still(seed, 8)]
    look = Look(size=(160, 90), rate=Fraction(10), has_index=False)
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", thumbs, look)


@pytest.fixture(params=["with subtitles", "without"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> KeyframeSettings:
    if request.param == "without":
        return KeyframeSettings()
    subtitles = tmp_path / "said.srt"
    subtitles.write_text(SRT)
    return KeyframeSettings(subtitles=subtitles)


def begin(film: Path, folder: Path, settings: KeyframeSettings | None = None) -> HeadStart:
    return HeadStart(film, folder, settings or KeyframeSettings(), lambda: False)


def take(head: HeadStart) -> list[Found]:
    with head.taken(lambda: False):
        return list(head.in_full())


@pytest.mark.parametrize("most", [1, head_start._MOST, 1000])
def test_it_finds_what_a_scan_finds(
    film: Path,
    tmp_path: Path,
    settings: KeyframeSettings,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever it stops by itself: in the middle, or not before the end."""
    monkeypatch.setattr(head_start, "_MOST", most)
    frames = tmp_path / "frames"
    with KeyframeScan(film, frames, settings) as scan:
        expected = [(found, Path(found[0].frame_path).read_bytes()) for found in scan.in_full()]
    for path in frames.iterdir():
        path.unlink()
    frames.rmdir()

    head = begin(film, frames, settings)
    head._thread.join()  # it may scan as far as it will
    assert not frames.exists()
    found = take(head)

    assert [(one, Path(one[0].frame_path).read_bytes()) for one in found] == expected
    assert len(expected) >= SHOTS


def test_it_may_be_taken_at_any_moment(film: Path, tmp_path: Path) -> None:
    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as scan:
        expected = list(scan.in_full())

    for wait_s in (0.0, 0.01, 0.05, 0.2):
        head = begin(film, tmp_path / "frames")
        head._thread.join(wait_s)

        assert take(head) == expected


def test_closed_before_it_is_taken_it_leaves_nothing(film: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    with begin(film, tmp_path / "frames"):
        pass

    assert threading.active_count() == before
    assert not (tmp_path / "frames").exists()


def test_who_has_taken_it_ends_it(film: Path, tmp_path: Path) -> None:
    """As the pipeline does when the run ends: the scan stops, and closing it does not disturb."""
    head, stopped = begin(film, tmp_path / "frames"), threading.Event()
    with head.taken(stopped.is_set):
        scanned = head.in_full()
        next(scanned)
        head.close()
        next(scanned)
        stopped.set()

        assert len(list(scanned)) <= head_start._MOST


def test_a_film_that_is_none_is_told_when_it_is_taken(tmp_path: Path) -> None:
    head = begin(tmp_path / "gone.mp4", tmp_path / "frames")

    with pytest.raises(FilmError):
        take(head)


def test_a_server_that_does_not_start_leaves_no_pictures(
    film: Path, mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    """And an earlier run's results where they are, though other settings would replace them."""
    options = [
        *("describe", film, "--output-dir", tmp_path),
        *("--model", tiny_model.model, "--mmproj", tiny_model.mmproj),
        *("--llama-server", str(mock_server.path)),
    ]
    failed = command.run(*options, CINECUT_MOCK_FAULT="exit=1@load")
    folder = tmp_path / "film.mp4.cinecut"
    left = {path.name for path in folder.iterdir()}
    done = command.run(*options)
    journal = (folder / "scenes.jsonl").read_bytes()
    again = command.run(*options, "--interval", "0.2", CINECUT_MOCK_FAULT="exit=1@load")

    assert failed.returncode == again.returncode == 1
    assert left <= {"llama-server.log"}
    assert done.returncode == 0, done.stderr
    assert (folder / "scenes.jsonl").read_bytes() == journal
    assert len(list((folder / "frames").iterdir())) == len(journal.splitlines()) - 1
