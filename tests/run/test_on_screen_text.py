"""What can be read in the picture is asked for, kept and found; a run without it is as it was."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import command
import pytest
from films import Look, make_film, still
from server_process import ServerProgram
from tiny_llava import TinyModel

FOUR = ["visual_content", "mood", "action", "setting"]
SHOTS = 6

Describe = Callable[..., str]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    thumbs = [thumb for shot in range(SHOTS) for thumb in still(shot, 10)]
    return make_film(tmp_path / "film.mkv", thumbs, Look(rate=Fraction(5), has_index=False))


@pytest.fixture
def describe(film: Path, mock_server: ServerProgram, tiny_model: TinyModel) -> Describe:
    """Describe the film with the mock, and return what was said."""

    def run(*options: str) -> str:
        files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
        server = {"CINECUT_LLAMA_SERVER": str(mock_server.path)}
        done = command.run("describe", film, *files, *options, **server)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def descriptions(folder: Path) -> list[dict[str, str]]:
    return [scene["description"] for scene in command.read_journal(folder)[1]]


def test_it_is_in_journal_exports_and_search(film: Path, describe: Describe) -> None:
    shown = describe("--text", *(f"--format={name}" for name in ("json", "csv", "md", "html")))

    folder = film.with_name("film.mkv.cinecut")
    told = descriptions(folder)
    assert [[*one] for one in told] == [[*FOUR, "text"]] * SHOTS
    texts = [one["text"] for one in told]
    assert "" in texts, "a picture without words"
    assert any(texts)
    assert shown.count("on-screen text: ") == sum(map(bool, texts))

    document = json.loads((folder / "scenes.json").read_text())
    assert [scene["description"]["text"] for scene in document["scenes"]] == texts
    table = (folder / "scenes.csv").read_text("utf-8-sig")
    rows = [*csv.DictReader(io.StringIO(table, newline=""))]
    assert [row["on_screen_text"] for row in rows] == texts
    for page in ("scenes.md", "storyboard.html"):
        assert (folder / page).read_text().count("On-screen text") == sum(map(bool, texts))

    word = next(filter(None, texts))
    hits = found(f'text:"{word}"', folder)
    assert {hit["description"]["text"] for hit in hits} == {word}
    listed = command.run("search", f'text:"{word}"', folder, "--index", folder.parent / "x.sqlite")
    assert f"on-screen text: {word}" in listed.stdout
    assert not found(f'setting:"{word}"', folder), "of the other fields none has it"


def found(query: str, folder: Path) -> list[dict[str, Any]]:
    index = ("--index", folder.parent / "search.sqlite")
    run = command.run("search", query, folder, "--json", *index)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_with_and_without_it_are_two_runs_and_each_goes_on(film: Path, describe: Describe) -> None:
    folder = film.with_name("film.mkv.cinecut")
    journal = folder / "scenes.jsonl"
    describe()
    assert [[*one] for one in descriptions(folder)] == [FOUR] * SHOTS
    assert "on_screen_text" not in command.read_journal(folder)[0]["settings"]

    assert "a new run begins" in describe("--text")
    first, *lines = journal.read_text().splitlines(keepends=True)
    run = {**json.loads(first), "finished": None}
    journal.write_text("".join([json.dumps(run) + "\n", *lines[: SHOTS // 2]]))

    assert "a new run begins" not in describe("--text")
    again = journal.read_text().splitlines(keepends=True)[1:]
    assert again[: SHOTS // 2] == lines[: SHOTS // 2]
    assert len(again) == SHOTS
    assert all("text" in one for one in descriptions(folder))

    assert "a new run begins" in describe()
