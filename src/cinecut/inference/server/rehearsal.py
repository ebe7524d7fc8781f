"""Asks a llama-server what it makes of the question: the prompt, and how many tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from cinecut.inference.asking import AskingError
from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.question.png import grey_png
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.question.thinking import thinking_of
from cinecut.inference.server.child import LlamaServer
from cinecut.models import KEYFRAME_SHORT_SIDE_PX

Ask = Callable[[str, dict[str, Any], float], Any]
"""Posts a body to a path of a server, with so many seconds for the reply."""

_TIMEOUT_S: Final = 30.0
_DESCRIBING_TIMEOUT_S: Final = 600.0  # a large model on a CPU
# Width to height of the pictures asked about: what films and telephones have, and odd ones between.
_SHAPES: Final = ((1, 1), (4, 3), (3, 4), (16, 9), (9, 16), (21, 9), (9, 21))
_WIDEST: Final = _SHAPES[-2:]
# A shape between these may cost a row or a column of patches more.
_MARGIN: Final = 1 / 32


def rehearse(
    server: LlamaServer,
    prompt: Prompt,
    model: VisionModel,
    side_px: int | None,
    on_notice: Callable[[str], None],
) -> tuple[Prompt, int | None]:
    """Return the prompt, with how the model thinks, and the most tokens that it takes.

    Args:
        server: The server, ready.
        prompt: The question.
        model: What it has loaded.
        side_px: The longest side of the pictures that will be sent; None sends any.
        on_notice: Called with a sentence where the model cannot do what was asked for.
    """
    rendered = render(server.ask, prompt)
    thinking = None if rendered is None else thinking_of(model.chat_template, rendered)
    if prompt.thinks and thinking is None:
        on_notice("This model does not think, as far as its chat template tells.")
    prompt = replace(prompt, thinking=thinking)
    picture = model.picture
    tokens = count_prompt_tokens(server, prompt, side_px, insists=not picture.is_known)
    if tokens is None and rendered is not None:
        text = _told(server.ask, "/tokenize", {"content": rendered}, _TIMEOUT_S)
        if isinstance(text, dict) and isinstance(text.get("tokens"), list):
            tokens = len(text["tokens"]) + prompt.dialogue_tokens
            tokens += prompt.most_pictures * picture.most
    return prompt, tokens


def render(ask: Ask, prompt: Prompt) -> str | None:
    """Return the prompt as the model will read it; None where the build cannot show it."""
    reply = _told(ask, "/apply-template", _question(prompt, grey_png(32, 32)), _TIMEOUT_S)
    rendered = reply.get("prompt") if isinstance(reply, dict) else None
    return rendered if isinstance(rendered, str) else None


def count_prompt_tokens(
    server: LlamaServer, prompt: Prompt, side_px: int | None, *, insists: bool
) -> int | None:
    """Return the most tokens that question and picture take, or None where nobody tells.

    The server cuts the pictures up and counts, without looking at them: milliseconds. A build that
    has no such question is shown the widest pictures, if need be: as long as two descriptions.

    Args:
        server: The server, ready.
        prompt: The question.
        side_px: The longest side of the pictures that will be sent; None sends any.
        insists: Whether to have a build without the counting look at pictures.
    """
    counted = _all(_count(server, prompt, picture) for picture in _pictures(_SHAPES, side_px))
    if not counted and insists:
        counted = _all(_try(server, prompt, picture) for picture in _pictures(_WIDEST, side_px))
    return round(max(counted) * (1 + _MARGIN)) + prompt.dialogue_tokens if counted else None


def _question(prompt: Prompt, picture: bytes) -> dict[str, Any]:
    """Return the longest question about such pictures, with a word said where it may hold some."""
    return prompt.question(
        [picture] * prompt.most_pictures, prompt.sample_words, prompt.sample_note
    )


def _all(counts: Iterable[int | None]) -> list[int]:
    """Return all counts, or none if one is missing; those behind it are not asked for."""
    known = []
    for count in counts:
        if count is None:
            return []
        known.append(count)
    return known


def _count(server: LlamaServer, prompt: Prompt, picture: bytes) -> int | None:
    reply = _told(
        server.ask, "/v1/chat/completions/input_tokens", _question(prompt, picture), _TIMEOUT_S
    )
    return _number(reply, "input_tokens")


def _try(server: LlamaServer, prompt: Prompt, picture: bytes) -> int | None:
    body = {**_question(prompt, picture), "max_tokens": 1}
    reply = _told(server.ask, "/v1/chat/completions", body, _DESCRIBING_TIMEOUT_S)
    return _number(reply.get("usage") if isinstance(reply, dict) else None, "prompt_tokens")


def _told(ask: Ask, path: str, body: dict[str, Any], timeout_s: float) -> Any:
    try:
        return ask(path, body, timeout_s)
    except AskingError:
        return None


def _number(reply: Any, key: str) -> int | None:
    value = reply.get(key) if isinstance(reply, dict) else None
    return value if type(value) is int and value > 0 else None


def _pictures(shapes: tuple[tuple[int, int], ...], side_px: int | None) -> list[bytes]:
    """Return pictures of these shapes, as large as keyframes are sent."""
    pictures = []
    for wide, high in shapes:
        short_px = KEYFRAME_SHORT_SIDE_PX
        long_px = short_px * max(wide, high) // min(wide, high)
        if side_px is not None and long_px > side_px:
            short_px, long_px = short_px * side_px // long_px, side_px
        pictures.append(grey_png(*((long_px, short_px) if wide > high else (short_px, long_px))))
    return pictures
