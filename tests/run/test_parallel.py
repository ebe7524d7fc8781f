"""Many slots at once: no description goes to another frame."""

from __future__ import annotations

import os
from pathlib import Path

import command
import films
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.film.picture.jpeg import fit_jpeg
from cinecut.inference.model.vision_model import read_vision_model
from cinecut.mock_server.replies import picture_digest

FRAMES = int(os.environ.get("CINECUT_TEST_FRAMES", "160"))
"""Keyframes of the film; a longer round sets more."""


def test_every_frame_has_its_own_description(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    """At 16 slots, with replies that take their time and come in any order."""
    thumbs = [thumb for seed in range(FRAMES) for thumb in films.still(seed, 5)]
    film = films.make_film(tmp_path / "film.mp4", thumbs, films.Look(rate=films.Fraction(5)))

    done = command.run(
        *("describe", film, "--interval", "0.5", "--keep-duplicates", "--parallel", "16"),
        *("--model", tiny_model.model, "--mmproj", tiny_model.mmproj),
        *("--llama-server", str(mock_server.path)),
        CINECUT_MOCK_FRAME_S="0.001-0.08",
    )

    assert done.returncode == 0, done.stderr
    run, scenes = command.read_journal(tmp_path / "film.mp4.cinecut")
    assert run["details"]["slots"] == 16
    assert len(scenes) >= FRAMES
    side_px = read_vision_model(tiny_model.model, tiny_model.mmproj).picture.side_px
    assert side_px is not None
    for scene in scenes:
        picture = Path(scene["keyframe"]["frame_path"]).read_bytes()
        digest = picture_digest(fit_jpeg(picture, side_px))
        assert f"(picture {digest})" in scene["description"]["visual_content"]
    digests = {scene["description"]["visual_content"] for scene in scenes}
    assert len(digests) > FRAMES * 0.9


def test_where_the_time_went_is_told_and_kept(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    thumbs = [thumb for seed in range(8) for thumb in films.still(seed, 12)]
    film = films.make_film(tmp_path / "film.mp4", thumbs)

    done = command.run(
        *("describe", film, "--parallel", "1", "--verbose"),
        *("--model", tiny_model.model, "--mmproj", tiny_model.mmproj),
        *("--llama-server", str(mock_server.path)),
        CINECUT_MOCK_FRAME_S="0.2",
    )

    assert done.returncode == 0, done.stderr
    run, scenes = command.read_journal(tmp_path / "film.mp4.cinecut")
    seconds = run["finished"]["seconds"]
    assert list(seconds) == ["decoding", "encoding", "waiting", "asking", "writing"]
    assert all(seconds.values())
    asked = sum(scene["elapsed_s"] for scene in scenes)
    assert asked - 0.01 <= seconds["asking"] <= asked + 0.01
    assert seconds["waiting"] >= 0.2, "one slot, four that wait for it: the decoder was held back"
    assert f"asking {seconds['asking']:.1f} s" in done.stderr
