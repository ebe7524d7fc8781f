"""Where much is new, several processes read it: with the same outcome, and none of them stays."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from multiprocessing import parent_process, resource_tracker
from pathlib import Path

import command
import pytest
from shelf import write_film

from cinecut.search import Library
from cinecut.search.entry import FilmEntry, film_entry
from cinecut.search.places import Found

THINGS = ("dog", "cat", "car", "tree", "boat", "horse", "lamp", "girl")
FILMS = [(f"{what}.mkv", [f"A {what} on a hill | calm | It waits | a hill"]) for what in THINGS]


def die_in_a_process_of_its_own(found: Found, digest: bytes) -> FilmEntry | None:
    """Stands for a system that has no memory for so many."""
    if parent_process() is not None:
        os._exit(9)
    return film_entry(found, digest)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Some films, few enough to be quick and said to be worth it."""
    monkeypatch.setattr("cinecut.search.workers._WORTH_BYTES", 0)
    for name, scenes in FILMS:
        write_film(tmp_path / "films", name, scenes)
    (write_film(tmp_path / "films", "torn.mkv", []) / "scenes.jsonl").write_text("{\n")
    yield tmp_path / "films"
    resource_tracker._resource_tracker._stop()  # it would stay as long as these tests' own process


def everything(shelf: Path, index: Path, processes: int) -> list[tuple[str, float]]:
    with Library(shelf, index=index, processes=processes) as library:
        assert library.films == len(FILMS)
        return [(hit.film, hit.score) for hit in library.search("hill boat", 20)]


def test_many_find_what_one_finds(shelf: Path, tmp_path: Path) -> None:
    alone = everything(shelf, tmp_path / "one", 1)
    assert alone[0][0] == "boat.mkv"
    assert everything(shelf, tmp_path / "two", 2) == alone


def test_processes_that_die_cost_nothing(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = everything(shelf, tmp_path / "one", 1)
    monkeypatch.setattr("cinecut.search.workers.film_entry", die_in_a_process_of_its_own)
    assert everything(shelf, tmp_path / "two", 2) == alone


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are told by /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_they_end_with_the_command(tmp_path: Path, kill: signal.Signals) -> None:
    scenes = ["A dog runs on the beach | carefree | It fetches a stick | beach at noon"] * 2000
    film = write_film(tmp_path, "0.mkv", scenes)
    for number in range(1, 20):
        shutil.copytree(film, tmp_path / f"{number}.mkv.cinecut")
    with command.start("search", "dog", tmp_path, "--index", tmp_path / "index") as running:
        workers = wait_for_children(running.pid)
        running.send_signal(kill)
        _, complaints = running.communicate()
    assert running.returncode == (-kill if kill == signal.SIGKILL else 130)
    assert kill == signal.SIGKILL or "Traceback" not in complaints
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a process stayed"
        time.sleep(0.05)


def wait_for_children(pid: int) -> list[int]:
    """Return the processes that a command has begun, when it has begun three: two and a tracker."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + 60
    while len(children := listed.read_text().split()) < min(3, 1 + (os.cpu_count() or 1)):
        assert time.monotonic() < deadline, "no process was begun"
        time.sleep(0.01)
    return [int(child) for child in children]
