"""`cinecut demo` runs the main job for real, and what it shows is true."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import command
import pytest
import readme
from seeing import verdict
from server_process import ServerProgram

from cinecut.demo.labels import PICTURE_SIDE_PX
from cinecut.film.picture.jpeg import fit_jpeg

pytestmark = pytest.mark.server


def run_demo(
    llama_server: ServerProgram, folder: Path, *arguments: str | Path, **environment: str
) -> tuple[int, str, str]:
    done = command.run(
        *("demo", "--llama-server", str(llama_server.path), *arguments),
        cwd=folder,
        **llama_server.environment,
        **environment,
    )
    return done.returncode, done.stdout, done.stderr


def test_every_word_in_its_storyboard_is_true(llama_server: ServerProgram, tmp_path: Path) -> None:
    code, data, talk = run_demo(llama_server, tmp_path, "--json")
    scenes = [json.loads(line) for line in data.splitlines()]
    storyboard = tmp_path / "cinecut-demo" / "film.mkv.cinecut" / "storyboard.html"

    assert code == 0, talk
    page = storyboard.read_text("utf-8")
    assert len(scenes) >= 8
    for scene in scenes:
        picture = Path(scene["keyframe"]["frame_path"]).read_bytes()
        found = verdict(scene["description"], fit_jpeg(picture, PICTURE_SIDE_PX))
        assert set(found.values()) == {True}, (scene, found)
        assert scene["description"]["visual_content"] in page
    assert f"The storyboard: {storyboard}" in talk
    assert "toy" in talk
    assert "cinecut models pull" in talk.splitlines()[-1]
    # By its meaning: the word is in no description.
    assert 'cinecut search "campfire at night" finds 00:00:17.500' in talk


def test_it_says_what_the_readme_shows(llama_server: ServerProgram, tmp_path: Path) -> None:
    shown = readme.README.read_text().partition("$ cinecut demo\n")[2].partition("```")[0]
    scenes = [line for line in shown.splitlines() if line.startswith(("00:", "  "))]
    code, data, _ = run_demo(llama_server, tmp_path)

    assert code == 0
    assert len(scenes) >= 10
    assert not [line for line in scenes if line not in data.splitlines()]


def test_a_second_demo_shows_everything_again(llama_server: ServerProgram, tmp_path: Path) -> None:
    (tmp_path / "demo").touch()  # --model demo would be this file
    first, second = (run_demo(llama_server, tmp_path, "--json") for _ in range(2))

    assert first[0] == second[0] == 0
    assert len(first[1].splitlines()) == len(second[1].splitlines())


def test_the_storyboard_is_opened(llama_server: ServerProgram, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}"\n')
    browser.chmod(0o755)

    code, _, talk = run_demo(llama_server, tmp_path, "--open", BROWSER=f"{browser} %s")

    assert code == 0, talk
    assert opened.read_text().startswith("file:///")
    assert opened.read_text().endswith("/film.mkv.cinecut/storyboard.html")


def test_without_a_server_no_storyboard_is_promised(tmp_path: Path) -> None:
    missing = ServerProgram(tmp_path / "no-such-server")

    code, data, talk = run_demo(missing, tmp_path)

    assert code == 1
    assert "Failed to find llama-server" in talk
    assert "storyboard" not in data + talk


def test_a_server_that_fails_promises_no_storyboard(
    mock_server: ServerProgram, tmp_path: Path
) -> None:
    code, _, talk = run_demo(mock_server, tmp_path, CINECUT_MOCK_FAULT="fail=oom@load")

    assert code == 1
    assert "storyboard" not in talk


def test_a_demo_that_is_interrupted_promises_nothing(
    mock_server: ServerProgram, tmp_path: Path
) -> None:
    """The next one begins anew."""
    arguments = ("demo", "--json", "--output-dir", tmp_path, "--llama-server", mock_server.path)
    with command.start(*arguments, CINECUT_MOCK_FRAME_S="0.5") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 130
    assert talk.splitlines()[-1] == "Interrupted."
