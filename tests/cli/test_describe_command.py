"""`cinecut describe`, the whole way: real clips, a real llama-server or the mock."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import command
import pytest
from clips import BIG_BUCK_BUNNY, BIKES
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.inference.models import BOUNDS

FIELDS = ["visual_content", "mood", "action", "setting"]
REMARKS = {"shortened", "repeats_itself", "part"}
SOURCES = {"subtitle_midpoint", "scene_change", "interval_fallback"}


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """The two real clips in a folder that may be written to."""
    return [Path(shutil.copy(clip, tmp_path)) for clip in (BIKES, BIG_BUCK_BUNNY)]


def assert_complete(folder: Path) -> list[dict[str, Any]]:
    """Check a journal of which every keyframe is described; return its scenes."""
    run, scenes = command.read_journal(folder)
    assert run["finished"]["scenes"] == len(scenes) > 0
    assert run["finished"]["skipped"] == 0
    assert [scene["index"] for scene in scenes] == list(range(len(scenes)))
    times = [scene["keyframe"]["timestamp_s"] for scene in scenes]
    assert times == sorted(times)
    for scene in scenes:
        assert [name for name in scene if name not in REMARKS] == [
            "type", "index", "keyframe", "description", "skipped", "elapsed_s",
        ]  # fmt: skip
        assert scene["type"] == "scene"
        assert list(scene["keyframe"]) == ["timestamp_s", "frame_path", "source"]
        assert scene["keyframe"]["source"] in SOURCES
        assert Path(scene["keyframe"]["frame_path"]).read_bytes()[:2] == b"\xff\xd8"
        assert list(scene["description"]) == FIELDS
        assert all(scene["description"].values())
        assert scene["skipped"] is None
        assert scene["elapsed_s"] > 0
    return [{key: told for key, told in scene.items() if key != "part"} for scene in scenes]


def descriptions(folder: Path) -> dict[float, dict[str, str]]:
    _, scenes = command.read_journal(folder)
    return {scene["keyframe"]["timestamp_s"]: scene["description"] for scene in scenes}


@pytest.mark.server
def test_real_clips_are_described_by_the_real_server(
    llama_server: ServerProgram, tiny_model: TinyModel, clips: list[Path]
) -> None:
    files = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    done = command.run("describe", *clips, *files, "--interval", "2", "--format", "all")

    assert done.returncode == 0, done.stderr
    for clip in clips:
        folder = clip.with_name(f"{clip.name}.cinecut")
        scenes = assert_complete(folder)
        assert len(scenes) >= 3
        assert (folder / "llama-server.log").exists() == (clip == clips[0])
        assert (folder / "storyboard.html").exists()


@pytest.mark.usefixtures("with_mock")
def test_real_clips_are_described_by_the_mock(clips: list[Path]) -> None:
    done = command.run("describe", *clips, "--interval", "2", "--json")

    assert done.returncode == 0, done.stderr
    journals = [
        scene for clip in clips for scene in assert_complete(clip.with_name(clip.name + ".cinecut"))
    ]
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line.pop("film") for line in printed} == {clip.name for clip in clips}
    assert sorted(map(json.dumps, printed)) == sorted(map(json.dumps, journals))


@pytest.mark.usefixtures("with_mock")
def test_an_interrupted_run_is_resumed(clips: list[Path], tmp_path: Path) -> None:
    """Ctrl-C leaves a whole journal; the same command does what is missing and nothing twice."""
    film, options = clips[0], ["--interval", "0.5", "--parallel", "2"]
    undisturbed = tmp_path / "undisturbed"
    assert command.run("describe", film, *options, "--output-dir", undisturbed).returncode == 0

    with command.start("describe", film, *options, "--json", CINECUT_MOCK_FRAME_S="0.3") as process:
        assert process.stdout is not None
        first = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        # Not communicate(): what readline() has taken beyond the line would be lost.
        rest, talk = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130, talk
    assert "Traceback" not in talk
    assert "goes on from here" in talk
    folder = film.with_name(f"{film.name}.cinecut")
    run, scenes = command.read_journal(folder)
    assert run["finished"] is None
    assert len(scenes) == len(first) + len(rest.splitlines())

    again = command.run("describe", film, *options, "--json")
    assert again.returncode == 0, again.stderr
    assert f"{len(scenes)} were there already" in again.stderr
    resumed = assert_complete(folder)
    assert len(again.stdout.splitlines()) == len(resumed) - len(scenes)
    assert all(scene in resumed for scene in scenes)
    assert descriptions(folder) == descriptions(undisturbed / folder.name)


@pytest.mark.usefixtures("with_mock")
def test_a_complete_film_is_not_described_again(clips: list[Path]) -> None:
    """No server is started either: one that cannot start does not matter."""
    assert command.run("describe", clips[0]).returncode == 0
    journal = clips[0].with_name("bikes.mp4.cinecut") / "scenes.jsonl"
    before = journal.read_bytes()

    again = command.run("describe", clips[0], CINECUT_LLAMA_SERVER="/nonexistent")

    assert again.returncode == 0, again.stderr
    assert "done already" in again.stderr
    assert again.stdout == ""
    assert journal.read_bytes() == before


@pytest.mark.usefixtures("with_mock")
def test_other_settings_begin_a_new_run_and_keep_the_old_one(clips: list[Path]) -> None:
    folder = clips[0].with_name("bikes.mp4.cinecut")
    assert command.run("describe", clips[0]).returncode == 0
    before = (folder / "scenes.jsonl").read_bytes()

    other = command.run("describe", clips[0], "--interval", "1")

    assert other.returncode == 0, other.stderr
    assert "a new run begins" in other.stderr
    assert (folder / "scenes.previous.jsonl").read_bytes() == before
    assert_complete(folder)


@pytest.mark.usefixtures("with_mock")
def test_a_film_in_other_hands_keeps_its_log(clips: list[Path]) -> None:
    """On a CPU no lock makes the second command wait: it is refused when the journal is opened."""
    film, log = clips[0], clips[0].with_name("bikes.mp4.cinecut") / "llama-server.log"
    arguments = ("describe", film, "--device", "cpu", "--interval", "1", "--parallel", "1")
    with command.start(*arguments, "--json", CINECUT_MOCK_FAULT="stall@2-") as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        said = log.read_text()
        second = command.run(*arguments)
        assert "Another process is describing this film" in second.stderr
        assert second.returncode == 1
        assert log.read_text().startswith(said)
        first.send_signal(signal.SIGINT)
        first.communicate()
    assert first.returncode == 130


def test_ctrl_c_before_the_command_has_begun_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")

    done = command.run("--help", PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.usefixtures("with_mock")
def test_one_bad_film_does_not_stop_the_others(clips: list[Path], tmp_path: Path) -> None:
    done = command.run("describe", tmp_path / "missing.mkv", clips[0])

    assert done.returncode == 3
    assert "Failed to read film 'missing.mkv'." in done.stderr
    assert_complete(clips[0].with_name("bikes.mp4.cinecut"))


@pytest.mark.usefixtures("with_mock")
@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 3)])
def test_a_skipped_frame_tells_its_reason(clips: list[Path], options: list[str], code: int) -> None:
    fault = {"CINECUT_MOCK_FAULT": "bad-json@1,2"}
    done = command.run("describe", clips[0], "--parallel", "1", *options, **fault)

    assert done.returncode == code, done.stderr
    assert "1 skipped (1 malformed)" in done.stderr
    run, scenes = command.read_journal(clips[0].with_name("bikes.mp4.cinecut"))
    assert run["finished"]["skipped"] == 1
    again = command.run("describe", clips[0], *options)
    assert again.returncode == code, "a film that is done already counts as it did"
    (skipped,) = (scene for scene in scenes if scene["skipped"])
    assert skipped["description"] is None
    assert skipped["skipped"]["reason"] == "malformed"
    assert skipped["skipped"]["detail"]


@pytest.mark.usefixtures("with_mock")
def test_a_text_that_the_bound_cut_off_is_ended_and_counted(clips: list[Path]) -> None:
    bound = BOUNDS["visual_content"]
    fault = {"CINECUT_MOCK_FAULT": f"long={bound}@1 long={bound + 1}@2"}
    done = command.run("describe", clips[0], "--parallel", "1", "--format", "json", **fault)

    assert done.returncode == 0, done.stderr
    assert "1 with a text cut short" in done.stderr
    folder = clips[0].with_name("bikes.mp4.cinecut")
    run, (cut, whole, *others) = command.read_journal(folder)
    assert run["finished"]["shortened"] == 1
    assert cut["shortened"] == ["visual_content"]
    assert re.fullmatch(r"([a-z]{6} )*[a-z]{6}\u2026", cut["description"]["visual_content"])
    assert len(whole["description"]["visual_content"]) == bound + 1
    assert not any("shortened" in scene for scene in [whole, *others])
    exported = json.loads((folder / "scenes.json").read_text())["scenes"]
    assert [scene.get("shortened") for scene in exported[:2]] == [["visual_content"], None]


@pytest.mark.usefixtures("with_mock")
def test_a_reply_that_repeats_itself_is_asked_for_once_more_then_kept_and_told(
    clips: list[Path],
) -> None:
    fault = {"CINECUT_MOCK_FAULT": "loop@1-3"}
    done = command.run("describe", clips[0], "--parallel", "1", "--format", "all", **fault)

    assert done.returncode == 0, done.stderr
    assert "1 that repeat themselves" in done.stderr
    folder = clips[0].with_name("bikes.mp4.cinecut")
    run, (first, second, *others) = command.read_journal(folder)
    assert run["finished"]["repeat_themselves"] == 1
    assert first["repeats_itself"] is True
    assert "picture" in second["description"]["visual_content"], "what came at the second try"
    assert not any("repeats_itself" in scene for scene in [second, *others])
    exported = json.loads((folder / "scenes.json").read_text())["scenes"]
    assert [scene.get("repeats_itself") for scene in exported[:2]] == [True, None]
    assert (folder / "storyboard.html").read_text().count("The description repeats itself.") == 1
