"""Asks a family's model about pictures of many shapes and counts what they cost."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PIL import Image

from cinecut.film.picture.jpeg import fit_jpeg
from cinecut.inference import LlavaEngine
from cinecut.inference.asking import ask_server
from cinecut.inference.gpu.slots import needed_mib
from cinecut.inference.model.vision_model import read_vision_model
from cinecut.inference.question.prompt import Prompt
from cinecut.models import Skip
from families.writing import TinyModel

SHAPES = {
    "16:9": (1195, 672),
    "21:9": (1568, 672),
    "9:16": (672, 1195),
    "4:3": (896, 672),
    "1:1": (672, 672),
    "tiny": (64, 48),
}
"""Sizes of keyframes in pixels."""


@dataclass(frozen=True)
class Trial:
    """What came of asking about each shape."""

    skips: Mapping[str, Skip]
    """The shapes that were not described, and why."""
    picture_tokens: Mapping[str, int]
    """What the server counted for the picture of a shape, the marks round it included."""
    text_tokens: int
    """What it counted for the prompt without a picture."""
    planned_picture_tokens: int
    context_per_slot: int
    reply_tokens: int
    """The most that a reply may have."""
    needed_mib: int
    """What the model is thought to need on a GPU with so many slots."""
    peak_mib: float | None
    """The most memory that the server held; None but on Linux."""

    @property
    def most_tokens(self) -> int:
        """The longest prompt and the longest reply after it."""
        return self.text_tokens + max(self.picture_tokens.values()) + self.reply_tokens


def try_shapes(
    pair: TinyModel,
    llama_server: Path | None,
    log_path: Path,
    *,
    slots: int,
    shapes: Mapping[str, tuple[int, int]] = SHAPES,
) -> Trial:
    """Start a server on the CPU and ask it about a picture of each shape, all at once."""
    pictures = {shape: jpeg(size) for shape, size in shapes.items()}
    prompt = Prompt()
    engine = LlavaEngine(
        pair.model,
        pair.mmproj,
        llama_server=llama_server,
        device="cpu",
        slots=slots,
        prompt=prompt,
        log_path=log_path,
    )
    with engine, _counted() as counted, ThreadPoolExecutor(slots) as pool:
        if engine.picture_side_px is not None:
            pictures = {
                shape: fit_jpeg(picture, engine.picture_side_px)
                for shape, picture in pictures.items()
            }
        outcomes = dict(zip(pictures, pool.map(engine.describe, pictures.values()), strict=True))
        assert engine.server is not None
        text = {"messages": [{"role": "user", "content": prompt.instruction}], "max_tokens": 1}
        reply = ask_server(
            f"{engine.base_url}/v1/chat/completions", engine.server.api_key, text, timeout_s=60
        )
        peaks_mib = [_peak_mib(pid) for pid in engine.server.pids]
    text_tokens = reply["usage"]["prompt_tokens"]
    assert engine.plan is not None
    model = read_vision_model(pair.model, pair.mmproj)
    return Trial(
        {shape: outcome for shape, outcome in outcomes.items() if isinstance(outcome, Skip)},
        {
            shape: counted[url_of(prompt.messages(picture))] - text_tokens
            for shape, picture in pictures.items()
            if url_of(prompt.messages(picture)) in counted
        },
        text_tokens,
        model.picture.most,
        engine.plan.context_per_slot,
        prompt.reply_tokens,
        needed_mib(model, engine.slots, engine.plan.context_per_slot),
        max(peaks_mib, default=None),
    )


def jpeg(size: tuple[int, int]) -> bytes:
    """Return a grainy picture."""
    grains = Image.effect_noise((size[0] // 8, size[1] // 8), 60)
    content = io.BytesIO()
    grains.resize(size).convert("RGB").save(content, "JPEG", quality=80)
    return content.getvalue()


def url_of(messages: list[dict[str, Any]]) -> str:
    """Return the picture in a chat, as a data URL."""
    url: str = messages[0]["content"][1]["image_url"]["url"]
    return url


def _peak_mib(pid: int) -> float:
    """Return the most memory that a process held so far (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0) / 1024


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """Collect how many tokens the server counted in each prompt, by the picture's URL."""
    counted: dict[str, int] = {}

    def ask(url: str, key: str | None, body: dict[str, Any], **more: Any) -> Any:
        reply = ask_server(url, key, body, **more)
        counted[url_of(body["messages"])] = reply["usage"]["prompt_tokens"]
        return reply

    with patch("cinecut.inference.question.chat.ask_server", ask):
        yield counted
