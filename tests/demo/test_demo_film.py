"""The demo film has what a demo has to show."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from seeing import jpeg, verdict
from server_process import ServerProgram

from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_PATH
from cinecut.demo.labels import label, measure
from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.models import SceneDescription

# Seconds into the film, in the midst of each of its scenes.
DAY, TRAIN, SUNSET, UNDER_WATER, FIRE, NIGHT, OLD_FILM, SNOW = (
    2,
    5.7,
    9.5,
    13.5,
    17.5,
    21,
    25.7,
    29,
)
SCENES = (DAY, TRAIN, SUNSET, UNDER_WATER, FIRE, NIGHT, OLD_FILM, SNOW)


@pytest.fixture(scope="module")
def scenes() -> dict[float, np.ndarray]:
    """A frame of every scene."""
    return dict(zip(SCENES, frames_at(SCENES), strict=True))


def frames_at(seconds: tuple[float, ...]) -> Iterator[np.ndarray]:
    wanted = list(seconds)
    with av.open(str(FILM_PATH)) as film:
        for frame in film.decode(video=0):
            if wanted and frame.time is not None and frame.time >= wanted[0]:
                wanted.pop(0)
                yield frame.to_ndarray(format="rgb24")


def test_it_is_short_and_small() -> None:
    with av.open(str(FILM_PATH)) as film:
        length_s = film.duration / av.time_base

    assert 20 <= length_s <= 40
    assert FILM_PATH.stat().st_size <= 2_000_000


def test_it_has_dialogue_in_a_track() -> None:
    with av.open(str(FILM_PATH)) as film:
        track = film.streams.subtitles[0]
        kind = track.codec_context.name
        lines = [bytes(packet) for packet in film.demux(track) if packet.size]

    assert kind in {"srt", "subrip"}  # by the release of FFmpeg
    assert len(SCENES) == len(set(lines))


def test_its_scenes_differ_in_light_and_colour(scenes: dict[float, np.ndarray]) -> None:
    seen = {at: label(measure(sent(pixels))) for at, pixels in scenes.items()}

    assert seen[NIGHT].brightness == "very dark"
    assert seen[FIRE].temperature == "warm"
    assert seen[UNDER_WATER].colour == "teal"
    assert seen[OLD_FILM].saturation == "colourless"
    assert seen[SNOW].brightness == "bright"
    assert seen[TRAIN].sharpness == "soft"
    assert len(set(seen.values())) == len(SCENES)


def test_it_has_cuts_and_fades(tmp_path: Path) -> None:
    """A cut begins each scene that does not fade in; in the fades the picture goes to black."""
    shots = KeyframeSettings(use_subtitles=False)
    with KeyframeScan(FILM_PATH, tmp_path, shots) as scan:
        changes = [one for one in scan if one.source == "scene_change"]
    fades = [label(measure(sent(pixels))).brightness for pixels in frames_at((0, 23.4, 30.9))]

    assert len(changes) >= len(SCENES) - 1
    assert fades == ["very dark"] * 3


def sent(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg(pixels))).convert("RGB"))


@pytest.mark.server
def test_what_the_model_says_of_its_scenes_is_true(
    scenes: dict[float, np.ndarray], llama_server: ServerProgram
) -> None:
    pictures = [jpeg(pixels) for pixels in scenes.values()]
    engine = LlavaEngine(
        MODEL_PATH,
        MMPROJ_PATH,
        llama_server=llama_server.path,
        device="cpu",
        skip_vram_check=True,
    )
    with engine, ThreadPoolExecutor(engine.slots) as threads:
        replies = list(threads.map(engine.describe, pictures))
    untrue = []
    for reply, picture in zip(replies, pictures, strict=True):
        assert isinstance(reply, SceneDescription), reply
        found = verdict(reply.model_dump(), picture)
        untrue += [(name, reply) for name, is_true in found.items() if not is_true]

    assert not untrue
