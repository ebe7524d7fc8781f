"""Shows a model a picture that is known, and tells when what it says of it is no language.

Some builds and drivers compute nonsense on some GPUs, and so does a projector that is another
model's: the grammar makes valid descriptions of that, and nobody would know before the end.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cinecut.inference.asking import AskingError, ask_server
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.proven import is_proven, note_proven
from cinecut.inference.question.nonsense import is_nonsense
from cinecut.inference.question.png import colour_png
from cinecut.inference.question.thinking import THOUGHTS

_QUESTION: Final = "Say in one short English sentence what this picture shows."
_FORMS: Final = {"grammar", "response_format"}
_TEXTS: Final = (*THOUGHTS, "content")  # a thought is language as well
_MOST_TOKENS: Final = 48
_TIMEOUT_S: Final = 60.0  # as long as a description may take on a GPU
_SHOWN_CHARS: Final = 60
_WORD: Final = (
    "#...# ##### #.... #.... .###.",
    "#...# #.... #.... #.... #...#",
    "#...# #.... #.... #.... #...#",
    "##### ####. #.... #.... #...#",
    "#...# #.... #.... #.... #...#",
    "#...# #.... #.... #.... #...#",
    "#...# ##### ##### ##### .###.",
)
_DOT_PX: Final = 8
_MARGIN_DOTS: Final = 6
_RED, _WHITE = (200, 16, 16), (255, 255, 255)


def doubt_about(
    engine: LlavaEngine, identity: Mapping[str, Any], is_cancelled: Callable[[], bool]
) -> str | None:
    """Return in a sentence that the model writes nonsense; None where it does not, so far seen.

    A plain wrong answer says nothing: a small model may give it honestly. Neither does none, for
    what keeps it away meets the first frame too. A model that has passed is asked again a week
    later, or when its files, the server's program or the machine are others.

    Args:
        engine: The engine, inside its block.
        identity: What the model and the device are known by; JSON can hold it.
        is_cancelled: Asked while the model answers; True ends that with KeyboardInterrupt.

    Raises:
        KeyboardInterrupt: `is_cancelled` said so.
        InferenceError: The server can describe nothing.
    """
    facts = {**identity, **_program_of(engine)}
    if is_proven(facts):
        return None
    said = _describe_known_picture(engine, is_cancelled)
    if said is None:
        return None
    if not is_nonsense(said):
        note_proven(facts)
        return None
    words = " ".join(said.split())[:_SHOWN_CHARS]
    told = f'"{words}"' if words else "nothing"
    hint = " (try --device cpu)" if engine.server and engine.on_gpu else ""
    return (
        f"Asked what a red picture with the word HELLO shows, the model says {told}, which is no "
        f"language: the server's build or its GPU's driver may compute wrongly{hint}, or the "
        "mmproj be another model's; --no-proof does not ask."
    )


def known_picture() -> bytes:
    """Return the picture, a PNG: HELLO in white on red."""
    dots = ["." * len(_WORD[0])] * _MARGIN_DOTS
    side = "." * _MARGIN_DOTS
    rows = [
        [_WHITE if dot == "#" else _RED for dot in f"{side}{line}{side}" for _ in range(_DOT_PX)]
        for line in (*dots, *_WORD, *dots)
    ]
    return colour_png([row for row in rows for _ in range(_DOT_PX)])


def _describe_known_picture(engine: LlavaEngine, is_cancelled: Callable[[], bool]) -> str | None:
    """Return what the model says, in no form that could hold nonsense; None for no answer."""
    prompt = replace(engine.prompt, instruction=_QUESTION, thinks=False)
    body = {**prompt.body(known_picture(), 1, engine.model_name), "max_tokens": _MOST_TOKENS}
    root, key = engine.place()
    try:
        reply = ask_server(
            f"{root}/v1/chat/completions",
            key,
            {name: value for name, value in body.items() if name not in _FORMS},
            timeout_s=_TIMEOUT_S,
            is_cancelled=is_cancelled,
        )
        choice = reply["choices"][0]
        texts = [choice["message"].get(name) for name in _TEXTS]
        is_cut = choice.get("finish_reason") == "length"
    except (AskingError, LookupError, TypeError, AttributeError):
        return None
    said = " ".join(text for text in texts if isinstance(text, str)).strip()
    return None if is_cut and not said else said  # a thought that the server keeps to itself


def _program_of(engine: LlavaEngine) -> dict[str, Any]:
    """Return what tells the server's program and machine from others."""
    server = engine.server
    place = server.command[0] if server else engine.base_url
    try:
        changed_ns = Path(place).stat().st_mtime_ns if server else None
    except OSError:
        changed_ns = None
    return {
        "program": [place, engine.program_version, changed_ns],
        "machine": [platform.node(), engine.on_gpu],
    }
