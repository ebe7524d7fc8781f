"""`cinecut clip`, as a user's shell runs it."""

from __future__ import annotations

import io
import signal
import time
from pathlib import Path

import av
import pytest
from command import run, start
from cut_films import describe, hits_in
from films import Look, index_of, make_film, picture
from full_disk import full_disk

from cinecut.errors import WriteError
from cinecut.excerpts.reel import write_reel

X264 = {"preset": "ultrafast", "g": "20", "sc_threshold": "0"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("films of mine")
    for name in ("a.mkv", "b.mkv"):
        look = Look(options=X264, size=(160, 90))
        film = make_film(shelf / name, [picture(n // 10) for n in range(100)], look)
        describe(film, 0.4, 1.2, 3.0, length_s=4)
    return shelf


def indices(path: Path) -> list[int]:
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            still = io.BytesIO()
            frame.to_image().save(still, "jpeg")
            found.append(index_of(still.getvalue()))
    return found


def test_scenes_by_number_are_cut_in_their_order(shelf: Path, tmp_path: Path) -> None:
    results, path = shelf / "a.mkv.cinecut", tmp_path / "clip.mkv"
    done = run("clip", results, "--scene", "1", "--scene", "0", "--output", path, "--exact")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("clip.mkv, 2 scenes\n")
    assert indices(path) == [*range(20, 53), *range(20)]  # half way to the pictures beside it

    done = run("clip", results, "--scene", "7", "--output", path, "--overwrite")
    assert done.returncode == 2
    assert "a.mkv.cinecut has no such scene" in done.stderr


def test_a_search_cuts_what_it_finds_of_films_that_are_there(shelf: Path, tmp_path: Path) -> None:
    path, hidden = tmp_path / "clip.mkv", shelf / "b.hidden"
    done = run("clip", shelf, "--query", "red car", "--output", path, "--limit", "6")
    assert (done.returncode, done.stderr.endswith("clip.mkv, 6 scenes\n")) == (0, True)

    (shelf / "b.mkv").rename(hidden)
    try:
        done = run("clip", shelf, "--query", "red car", "--output", path, "--overwrite")
        alone = tmp_path / "alone.mkv"
        none = run("clip", shelf / "b.mkv.cinecut", "--scene", "0", "--output", alone)
    finally:
        hidden.rename(shelf / "b.mkv")
    assert (done.returncode, none.returncode) == (3, 1)
    assert "It does not lie beside its results." in done.stderr
    assert done.stderr.endswith("clip.mkv, 3 scenes\n")
    assert [each.name for each in tmp_path.iterdir()] == ["clip.mkv"]


def test_what_is_there_stays(shelf: Path, tmp_path: Path) -> None:
    path, film = tmp_path / "clip.mkv", shelf / "a.mkv"
    path.write_text("What I must not lose")
    results = shelf / "a.mkv.cinecut"
    done = run("clip", results, "--scene", "0", "--output", path)
    assert done.returncode == 1
    assert done.stderr.startswith("Failed to write 'clip.mkv'.")
    assert path.read_text() == "What I must not lose"

    before = film.read_bytes()
    done = run("clip", results, "--scene", "0", "--output", film, "--overwrite")
    assert done.returncode == 2
    assert "a.mkv is the film itself" in done.stderr
    assert film.read_bytes() == before


def test_a_container_that_cannot_hold_it_is_told(shelf: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.webm"
    done = run("clip", shelf / "a.mkv.cinecut", "--scene", "0", "--output", path)
    assert done.returncode == 2
    assert "A .webm file cannot hold the film's streams" in done.stderr
    assert "clip.mkv" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_full_disk_leaves_nothing(
    shelf: Path, tmp_path: Path, suffix: str, is_exact: bool
) -> None:
    path = tmp_path / f"clip{suffix}"
    hits = hits_in(shelf)
    for room_bytes in (0, 100, 20_000):
        with full_disk(room_bytes), pytest.raises(WriteError, match="has room"):
            write_reel(hits, path, pytest.fail, pytest.fail, is_exact=is_exact)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_leaves_nothing(tmp_path: Path, stop: signal.Signals) -> None:
    look = Look(options=X264, size=(640, 360), has_index=False)
    film = make_film(tmp_path / "long.mp4", [picture(n % 40) for n in range(1500)], look)
    results, path = describe(film, 0.4, length_s=60), tmp_path / "clips" / "clip.mkv"
    path.parent.mkdir()
    scenes = ("--scene", "0") * 20  # far more than can be done before the signal comes
    command = start("clip", results, *scenes, "--output", path, "--exact")
    deadline = time.monotonic() + 60
    while not list(path.parent.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    command.send_signal(stop)
    _, told = command.communicate(timeout=60)
    assert (command.returncode, told) == (130, "Interrupted.\n")
    assert list(path.parent.iterdir()) == []
