"""What is said stands in the journal beside what is seen, whatever happens to the run."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import command
import pytest
from films import Look, make_film, mux_subtitles, still
from listening_server import ListeningServer
from server_process import ServerProgram
from tiny_llava import TinyModel

PLAIN = Look(rate=Fraction(5), has_index=False)
SHOTS, FRAMES_PER_SHOT = 8, 15
SPOKEN = [(3.0 * shot + 1, 3.0 * shot + 2, f"line {shot}") for shot in range(SHOTS) if shot % 4]
"""A line in each of three shots of four."""

Start = Callable[..., Any]


@pytest.fixture
def start(mock_server: ServerProgram, tiny_model: TinyModel) -> Start:
    """Begin to describe a film with the mock."""

    def begin(film: Path, *options: str, **environment: str) -> Any:
        files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
        settings = {"CINECUT_LLAMA_SERVER": str(mock_server.path), **environment}
        return command.start("describe", film, *files, *options, **settings)

    return begin


def described(process: Any) -> str:
    _, talk = process.communicate(timeout=command.PATIENCE_S)
    assert process.returncode == 0, talk
    return talk


def make(folder: Path, looks: int = SHOTS) -> Path:
    """Eight shots of three seconds, of so many looks, with the lines in a track."""
    thumbs = [thumb for shot in range(SHOTS) for thumb in still(shot % looks, FRAMES_PER_SHOT)]
    return mux_subtitles(
        make_film(folder / "mute.mkv", thumbs, PLAIN), folder / "film.mkv", "srt", SPOKEN
    )


def scenes_of(film: Path) -> list[dict[str, Any]]:
    return command.read_journal(film.with_name(f"{film.name}.cinecut"))[1]


def said_in(scenes: list[dict[str, Any]]) -> list[list[str]]:
    return [[line["text"] for line in scene.get("dialogue", [])] for scene in scenes]


EXPECTED = [[f"line {shot}"] if shot % 4 else [] for shot in range(SHOTS)]


def test_each_line_stands_in_the_journal_and_scenes_that_look_the_same_have_their_own(
    tmp_path: Path, start: Start
) -> None:
    film = make(tmp_path, looks=2)

    described(start(film))

    scenes = scenes_of(film)
    assert [scene.get("same_as") for scene in scenes] == [None, None, 0, 1, 0, 1, 0, 1]
    assert said_in(scenes) == EXPECTED
    assert scenes[1]["dialogue"] == [{"start_s": 4.0, "end_s": 5.0, "text": "line 1"}]
    assert "dialogue" not in scenes[0]


def test_a_film_without_subtitles_has_no_word_about_dialogue(tmp_path: Path, start: Start) -> None:
    film = make(tmp_path)

    described(start(film, "--no-subtitles"))

    assert '"dialogue"' not in (film.with_name("film.mkv.cinecut") / "scenes.jsonl").read_text()


def test_a_killed_run_goes_on_with_the_same_lines(tmp_path: Path, start: Start) -> None:
    film = make(tmp_path)
    journal = film.with_name("film.mkv.cinecut") / "scenes.jsonl"
    process = start(film, "--json", "--parallel", "1", CINECUT_MOCK_FRAME_S="0.3")
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=command.PATIENCE_S)
    kept = journal.read_text().splitlines(keepends=True)[1:]
    kept = [line for line in kept if line.endswith("\n")]
    assert 3 <= len(kept) < SHOTS
    assert said_in([json.loads(line) for line in kept]) == EXPECTED[: len(kept)]

    described(start(film))

    lines = journal.read_text().splitlines(keepends=True)[1 : 1 + len(kept)]
    # Which part of the film a scene is in is known when all of it is.
    assert [re.sub(r',"part":\d+', "", line) for line in lines] == kept
    assert said_in(scenes_of(film)) == EXPECTED


def test_the_model_is_told_what_is_said_and_asked_anew_where_it_differs(
    tmp_path: Path, start: Start
) -> None:
    server, film = ListeningServer(tmp_path), make(tmp_path, looks=2)
    listening = {"CINECUT_LLAMA_SERVER": str(server.path)}

    described(start(film, "--with-dialogue", "--parallel", "1", **listening))

    prompts = [heard.prompt for heard in server.heard]
    words = [prompt.partition("for context: ")[2].partition("\n")[0] for prompt in prompts]
    assert sorted(words) == sorted(["", *(f'"line {shot}"' for shot in range(SHOTS) if shot % 4)])
    run, scenes = command.read_journal(film.with_name("film.mkv.cinecut"))
    assert run["settings"]["with_dialogue"] is True
    assert [scene.get("same_as") for scene in scenes] == [*[None] * 4, 0, *[None] * 3]

    talk = described(start(film))

    run, scenes = command.read_journal(film.with_name("film.mkv.cinecut"))
    assert "with_dialogue" not in run["settings"]
    assert (film.with_name("film.mkv.cinecut") / "scenes.previous.jsonl").exists(), talk
    assert said_in(scenes) == EXPECTED


def test_who_wants_dialogue_told_learns_that_there_is_none(tmp_path: Path, start: Start) -> None:
    film = make(tmp_path).with_name("mute.mkv")

    assert "It has no subtitles: the model is told of no dialogue." in described(
        start(film, "--with-dialogue")
    )
    refused = start(film, "--with-dialogue", "--no-subtitles")
    _, talk = refused.communicate(timeout=command.PATIENCE_S)
    assert refused.returncode == 2
    assert "--with-dialogue and --no-subtitles exclude each other." in talk
