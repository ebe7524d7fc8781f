"""What the demo model says belongs to its picture, whichever server and command asked for it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

import command
import films
import pytest
from seeing import COLOURS, jpeg, plain
from server_process import ServerProgram

from cinecut.demo import MMPROJ_PATH, MODEL_PATH
from cinecut.demo.sentences import read
from cinecut.inference.engine import LlavaEngine

FRAMES, FRAMES_PER_S = 140, 4
"""A colour each, so that the frames under way are all told apart."""


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
    """A film that has another colour in each of its frames."""
    thumbs = [
        bytes(colour) * (films.THUMB_WIDTH * films.THUMB_HEIGHT)
        for colour in itertools.islice(itertools.cycle(COLOURS.values()), FRAMES)
    ]
    look = films.Look(rate=Fraction(FRAMES_PER_S), has_index=False)
    return films.make_film(tmp_path / "film.mkv", thumbs, look)


def arguments(film: Path, llama_server: ServerProgram) -> list[str | Path]:
    """Return a command that describes every frame, four at once."""
    return [
        *("describe", film, "--model", "demo", "--llama-server", str(llama_server.path)),
        *("--device", "cpu", "--parallel", "4", "--interval", str(1 / FRAMES_PER_S)),
        *("--keep-duplicates", "--json"),
    ]


def wait_for_scenes(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline(), "it ended too early"


def assert_each_frame_has_its_own_words(film: Path) -> None:
    """Hold what is said of each frame against the colour that it was painted in."""
    run, scenes = command.read_journal(film.with_name("film.mkv.cinecut"))
    assert run["finished"]["skipped"] == 0
    painted = list(itertools.islice(itertools.cycle(COLOURS), FRAMES))
    frames = [round(scene["keyframe"]["timestamp_s"] * FRAMES_PER_S) for scene in scenes]
    assert len(set(frames)) == len(frames) > FRAMES - 10

    said = [read(scene["description"]) for scene in scenes]

    assert [painted[frame] for frame in frames] == [one.colour if one else None for one in said]


@pytest.mark.server
def test_descriptions_belong_to_their_frames_after_the_server_was_killed(
    film: Path, llama_server: ServerProgram
) -> None:
    with command.start(*arguments(film, llama_server), **llama_server.environment) as process:
        wait_for_scenes(process, 20)
        (leash,) = children(process.pid)
        (server,) = children(leash)
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
    found: list[str] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += (thread / "children").read_text().split()
    return [int(child) for child in found]
