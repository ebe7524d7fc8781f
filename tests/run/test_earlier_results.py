"""Results folders that an earlier version has left, kept as data: what is done stays done.

`earlier/done` holds a complete run, `earlier/stopped` one that was killed in mid-line after four
of its ten keyframes, both of `earlier/film.mkv` and written before the modules were sorted into
rooms. They are never written anew: that a later version understands them is the claim.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import command
import pytest
from server_process import ServerProgram

EARLIER = Path(__file__).parent / "earlier"
MTIME_NS = 1_767_323_045_000_000_000
"""When the film was last written, as its identity in the journals says."""
KEYFRAMES, DONE_BEFORE = 10, 4


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """The film and its subtitles, as they lay when the earlier version described it."""
    shutil.copy(EARLIER / "film.en.srt", tmp_path)
    film = Path(shutil.copy(EARLIER / "film.mkv", tmp_path))
    os.utime(film, ns=(MTIME_NS, MTIME_NS))
    return film


def _go_on(film: Path, left: str, server: ServerProgram) -> tuple[Path, str, str]:
    """Describe `film` where an earlier version has left the folder; the folder and both streams."""
    folder = film.with_name(f"{film.name}.cinecut")
    shutil.copytree(EARLIER / left, folder)
    files = ("--model", EARLIER / "model.gguf", "--mmproj", EARLIER / "mmproj.gguf")
    run = command.run(
        *("describe", film, *files, "--json", "--format", "json"),
        CINECUT_LLAMA_SERVER=str(server.path),
    )
    assert run.returncode == 0, run.stderr
    return folder, run.stdout, run.stderr


def test_a_film_that_an_earlier_version_completed_is_passed_over(
    film: Path, mock_server: ServerProgram
) -> None:
    folder, out, talk = _go_on(film, "done", mock_server)

    assert "done already" in talk
    assert out == ""
    assert (folder / "scenes.jsonl").read_bytes() == (EARLIER / "done/scenes.jsonl").read_bytes()
    assert (folder / "scenes.json").exists()
    assert not (folder / "llama-server.log").exists()


def test_a_film_that_an_earlier_version_left_half_done_goes_on(
    film: Path, mock_server: ServerProgram
) -> None:
    before = command.read_journal(EARLIER / "done")[1]
    kept = (EARLIER / "stopped/scenes.jsonl").read_text().splitlines()[1 : 1 + DONE_BEFORE]
    folder, out, _ = _go_on(film, "stopped", mock_server)

    assert len(out.splitlines()) == KEYFRAMES - DONE_BEFORE
    lines = (folder / "scenes.jsonl").read_text().splitlines()[1:]
    assert [re.sub(r',"part":\d+', "", line) for line in lines[:DONE_BEFORE]] == kept
    _, scenes = command.read_journal(folder)
    times = [scene["keyframe"]["timestamp_s"] for scene in scenes]
    assert times == [scene["keyframe"]["timestamp_s"] for scene in before]
    assert [scene["index"] for scene in scenes] == list(range(KEYFRAMES))
    assert not (folder / "scenes.previous.jsonl").exists()
