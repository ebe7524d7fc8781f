"""Parts of films that are described for real: keyframes of a film file, their pictures, a server.

How well they are found is measured by `scripts/bench_parts`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command
from server_process import ServerProgram
from stories import Story, begins_of, f1, place
from tiny_llava import TinyModel


def describe(film: Path, server: ServerProgram, model: TinyModel, *options: str) -> None:
    done = command.run(
        *("describe", film, "--model", model.model, "--mmproj", model.mmproj, *options),
        CINECUT_LLAMA_SERVER=str(server.path),
    )
    assert done.returncode == 0, done.stderr


def journal_of(film: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return command.read_journal(film.with_name(f"{film.name}.cinecut"))


def test_they_are_found_and_the_same_however_the_run_went(
    tmp_path: Path, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    """Stopped in the middle, with other slots, or in one go."""
    story, here = Story().talk(place(0)).montage(), place(4)
    story.faded().talk(here).talk(here.like(25)).long_take(place(5)).talk(place(0))
    film = story.film(tmp_path / "film.mkv")
    describe(film, mock_server, tiny_model, "--parallel", "4")

    run, scenes = journal_of(film)
    times = [scene["keyframe"]["timestamp_s"] for scene in scenes]
    parts = [scene["part"] for scene in scenes]
    assert f1(begins_of(parts, times), story.begins_s(), times) >= 0.9
    assert run["finished"]["parts"] == parts[-1] + 1 == 6

    lines = [{key: scene[key] for key in scene if key != "part"} for scene in scenes]
    stopped = [{**run, "finished": None}, *lines[::-3]]  # out of order, as slots finish
    journal = film.with_name("film.mkv.cinecut") / "scenes.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in stopped))
    describe(film, mock_server, tiny_model, "--parallel", "1")
    assert [scene["part"] for scene in journal_of(film)[1]] == parts


def test_they_are_found_where_duplicates_are_kept(
    tmp_path: Path, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    story = Story().talk(place(0), 5).talk(place(1), 5)
    film = story.film(tmp_path / "film.mkv")

    describe(film, mock_server, tiny_model, "--keep-duplicates")

    assert {scene["part"] for scene in journal_of(film)[1]} == {0, 1}
