"""`cinecut search --export`, as a user's shell runs it."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from command import run
from cut_films import describe, small_film

FORMATS = ("edl", "otio", "m3u", "csv")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("films of mine")
    for name in ("Amélie's day.mp4", "b.mp4"):
        describe(small_film(shelf / name, Fraction(25)), 1.0, 5.0, length_s=10)
    return shelf


def test_the_file_alone_comes_on_stdout_whatever_the_terminal_speaks(
    shelf: Path, tmp_path: Path
) -> None:
    done = run("search", "red", shelf, "--export", "edl", "--limit", "3", LC_ALL="C")

    assert done.returncode == 0
    assert done.stdout.startswith("TITLE: red\nFCM: NON-DROP FRAME\n")
    assert done.stdout.count(" V     C ") == 3
    assert "* FROM CLIP NAME: Amélie's day.mp4\n" in done.stdout

    path = tmp_path / "hits.edl"
    done = run(
        "search", "red", shelf, "--export", "edl", "--limit", "3", "--output", path, "--json"
    )
    assert done.returncode == 0
    assert done.stderr.endswith(f"Written: {path}\n")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 3
    assert path.read_text("utf-8").count(" V     C ") == 3


def test_nothing_found_is_an_empty_file(shelf: Path, tmp_path: Path) -> None:
    pytest.importorskip("opentimelineio")
    for name in FORMATS:
        path = tmp_path / f"hits.{name}"
        for _ in range(2):  # and it counts as one of its kind, to be replaced
            done = run("search", '"wombat"', shelf, "--export", name, "--output", path)
            assert (done.returncode, done.stdout) == (0, "")
            assert done.stderr.startswith("No scene of 2 films fits")
        assert "mp4" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--export", "edl", "--json"],
        ["--export", "edl", "--play", "0"],
        ["--output", "hits.edl"],
        ["--export", "mov"],
    ],
)
def test_what_cannot_be_meant_is_told(shelf: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = run("search", "red", shelf, *arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_stays(shelf: Path, tmp_path: Path) -> None:
    notes, table, link = (tmp_path / name for name in ("notes.txt", "scenes.csv", "link.edl"))
    notes.write_text("Title: what I must not lose")
    table.write_text('"index","timecode","timestamp_s"\n')
    link.symlink_to(notes)
    for path, name in ((notes, "edl"), (table, "csv"), (link, "m3u"), (tmp_path, "csv")):
        before = path.read_bytes() if path.is_file() else b""
        done = run("search", "red", shelf, "--export", name, "--output", path, "--quiet")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"Failed to write '{path.name}'." in done.stderr
        assert not path.is_file() or path.read_bytes() == before
    assert link.is_symlink()
    done = run("search", "red", shelf, "--export", "csv", "--output", tmp_path / "no" / "x.csv")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_of_films_that_are_gone_the_others_are_left_and_of_none_nothing(tmp_path: Path) -> None:
    describe(small_film(tmp_path / "a.mp4", Fraction(25)), 1.0, length_s=2)
    describe(tmp_path / "gone.mp4", 1.0, length_s=2)
    path = tmp_path / "hits.edl"

    done = run("search", "red", tmp_path, "--export", "edl", "--output", path)
    assert (done.returncode, "a.mp4" in path.read_text()) == (3, True)
    assert "'gone.mp4'" in done.stderr

    (tmp_path / "a.mp4").unlink()
    before = path.read_bytes()
    done = run("search", "red", tmp_path, "--export", "edl", "--output", path)
    assert (done.returncode, path.read_bytes()) == (1, before)
    done = run("search", "red", tmp_path, "--export", "edl")
    assert (done.returncode, done.stdout) == (1, "")


def test_without_its_package_one_message_tells_how_to_get_it(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda n, *more: None if n == 'opentimelineio' else found(n, *more)\n"
    )

    done = run("search", "red", shelf, "--export", "otio", PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'cinecut[otio]'" in done.stderr
    assert not Path(os.environ["XDG_CACHE_HOME"]).exists()  # it is told before anything is done
