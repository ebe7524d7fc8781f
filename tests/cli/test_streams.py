"""What a command is born with need not be whole: streams closed, full or gone, no home."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import command
import films
import pytest

from cinecut.cli import settle_home, streams

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    thumbs = [thumb for seed in range(3) for thumb in films.still(seed, 12)]
    return films.make_film(tmp_path_factory.mktemp("streams") / "film.mp4", thumbs)


@pytest.fixture(autouse=True)
def _with_mock(with_mock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")


def run(redirection: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", command.cinecut_path(), *arguments],
        capture_output=True,
        text=True,
        timeout=command.PATIENCE_S,
        check=False,
    )


def test_with_all_streams_closed_a_film_is_described(film: Path, tmp_path: Path) -> None:
    """And nothing that is opened meanwhile gets the number of one, and the data in it."""
    done = run("<&- >&- 2>&-", "describe", film, "--json", "--output-dir", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    journal, scenes = command.read_journal(tmp_path / "film.mp4.cinecut")
    assert journal["finished"]["scenes"] == len(scenes) == 3


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_no_command_ends_in_a_traceback(film: Path, tmp_path: Path, redirection: str) -> None:
    results = tmp_path / "film.mp4.cinecut"
    assert command.run("describe", film, "--output-dir", tmp_path).returncode == 0
    for arguments in (
        ("describe", film, "--output-dir", tmp_path / "again", "--quiet", "--json"),
        ("keyframes", film, "--output-dir", tmp_path / "again", "--quiet", "--json"),
        ("export", results, "--format", "md"),
        ("models", "list"),
        ("--version",),
    ):
        done = run(redirection, *arguments)
        if redirection == ">&-":
            assert (done.returncode, done.stderr) == (0, ""), arguments
        else:
            assert done.returncode == 1, arguments
            assert done.stderr.startswith("Failed to write to stdout.\n  Cause: No space left on")
            assert done.stderr.count("\n") == 4, done.stderr
    for line in (tmp_path / "again/film.mp4.cinecut/scenes.jsonl").read_text().splitlines():
        assert json.loads(line)


def test_talk_that_cannot_be_written_is_lost_and_the_data_is_not(
    film: Path, tmp_path: Path
) -> None:
    done = run("2>/dev/full", "describe", film, "--json", "--output-dir", tmp_path)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


def test_who_has_no_home_at_all_gets_that_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_uid: int) -> None:
        raise KeyError

    settle_home()
    assert os.environ["HOME"] != "/"

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    settle_home()
    assert os.environ["HOME"] == "/"


def test_a_reader_that_has_had_enough_is_no_error_of_the_streams() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with streams._Data(theirs, "w") as data, pytest.raises(BrokenPipeError):
        data.write(b"x")
