"""What the demo model says belongs to its picture, whichever server and command asked for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import command
import pytest
from seeing import COLOURS, jpeg, plain, verdict
from server_process import ServerProgram

from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_PATH
from cinecut.demo.labels import PICTURE_SIDE_PX
from cinecut.film.pictures import fit_jpeg
from cinecut.inference.engine import LlavaEngine

TRUE_SHARE = 0.97
"""Near a threshold, and in a fade, it may say either name; of another frame it would be wrong."""


@pytest.mark.server
def test_the_next_server_says_the_same_of_the_same_frames(llama_server: ServerProgram) -> None:
    pictures = [jpeg(plain(colour)) for colour in COLOURS.values()]
    said = []
    for _ in range(2):
        engine = LlavaEngine(
            MODEL_PATH,
            MMPROJ_PATH,
            llama_server=llama_server.path,
            device="cpu",
            slots=1,
            skip_vram_check=True,
        )
        with engine:
            said.append([engine.describe(picture) for picture in pictures])

    assert said[0] == said[1]
    assert len(COLOURS) == len({str(one) for one in said[0]})


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """The demo film, whose scenes the model tells apart."""
    return Path(shutil.copy(FILM_PATH, tmp_path / "film.mkv"))


def arguments(film: Path, llama_server: ServerProgram) -> list[str | Path]:
    """Return a command that describes some hundred frames, four at once."""
    return [
        *("describe", film, "--model", "demo", "--llama-server", str(llama_server.path)),
        *("--device", "cpu", "--parallel", "4", "--interval", "0.25", "--keep-duplicates"),
        *("--scene-threshold", "0.9", "--no-subtitles", "--json"),
    ]


def wait_for_scenes(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline(), "it ended too early"


def assert_each_frame_has_its_own_words(film: Path) -> None:
    """Hold what is said of each frame against that frame's picture."""
    run, scenes = command.read_journal(film.with_name("film.mkv.cinecut"))
    assert run["finished"]["skipped"] == 0
    assert len(scenes) > 100
    assert len({scene["keyframe"]["timestamp_s"] for scene in scenes}) == len(scenes)
    found = []
    for scene in scenes:
        picture = Path(scene["keyframe"]["frame_path"]).read_bytes()
        found.append(verdict(scene["description"], fit_jpeg(picture, PICTURE_SIDE_PX)))
    for attribute in ("brightness", "colour", "mood"):
        true = sum(attributes[attribute] for attributes in found)
        assert true >= TRUE_SHARE * len(found), f"{attribute}: {true} of {len(found)}"


@pytest.mark.server
def test_descriptions_belong_to_their_frames_after_the_server_was_killed(
    film: Path, llama_server: ServerProgram
) -> None:
    with command.start(*arguments(film, llama_server), **llama_server.environment) as process:
        wait_for_scenes(process, 20)
        (server,) = children(process.pid)
        os.kill(server, signal.SIGKILL)
        _, said = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 0, said
    assert "llama-server has died: starting it anew." in said
    assert_each_frame_has_its_own_words(film)


@pytest.mark.server
def test_descriptions_belong_to_their_frames_after_a_resume(
    film: Path, llama_server: ServerProgram
) -> None:
    with command.start(*arguments(film, llama_server), **llama_server.environment) as process:
        wait_for_scenes(process, 20)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=command.PATIENCE_S)
    assert process.returncode == 130

    done = command.run(*arguments(film, llama_server), **llama_server.environment)

    assert done.returncode == 0, done.stderr
    assert "were there already" in done.stderr
    assert_each_frame_has_its_own_words(film)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
