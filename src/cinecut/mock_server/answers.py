"""Turns a reply into the bytes of an answer, whole or spoiled as a fault says."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final

from cinecut.mock_server.chat import CHARS_PER_TOKEN
from cinecut.mock_server.faults import Fault

_ROUNDS: Final = 16


@dataclass(frozen=True)
class Answer:
    """What goes out on the wire."""

    status: int
    body: bytes
    length: int
    """The Content-Length that is told, right or wrong."""
    close: bool = False
    """Whether the connection ends here."""
    filler_bytes: int = 0
    """How much text goes out between the body's two halves."""
    tail: bytes = b""
    events: tuple[bytes, ...] = ()
    """What goes out one by one, as server-sent events, in the place of a body."""


def whole(status: int, body: Mapping[str, Any]) -> Answer:
    """Return the honest answer; the connection of an error ends, as llama-server's does."""
    content = json.dumps(body).encode()
    return Answer(status, content, len(content), close=status != 200)


def streamed(reply: Mapping[str, Any]) -> Answer:
    """Return an honest chat completion as one that was asked for in pieces."""
    [choice] = reply["choices"]
    content = choice["message"]["content"]
    about = {"object": "chat.completion.chunk", "id": reply["id"], "model": reply["model"]}
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": None}, None)
    ]
    deltas += [
        ({"content": content[at : at + CHARS_PER_TOKEN]}, None)
        for at in range(0, len(content), CHARS_PER_TOKEN)
    ]
    deltas.append(({}, choice["finish_reason"]))
    events = [
        json.dumps({"choices": [{"finish_reason": end, "index": 0, "delta": delta}], **about})
        for delta, end in deltas
    ]
    return Answer(200, b"", 0, events=tuple(each.encode() for each in [*events, "[DONE]"]))


def spoiled(fault: Fault, reply: dict[str, Any]) -> Answer | None:
    """Return the answer that `fault` gives in the place of `reply`, or None if it gives none.

    A fault in the reply's own text changes `reply` instead.
    """
    choice = reply["choices"][0]
    body = json.dumps(reply).encode()
    head, word, tail = body.partition(b"mock ")
    if fault.name.isdigit():
        kind = {"429": "rate_limit_error", "503": "unavailable_error"}.get(fault.name)
        error = {"message": "a fault that was asked for", "type": kind or "server_error"}
        return whole(int(fault.name), {"error": {"code": int(fault.name), **error}})
    if fault.name == "empty":
        return whole(200, {})
    if fault.name == "closed":
        return Answer(0, b"", 0, close=True)
    if fault.name == "half":
        return Answer(200, body[: len(body) // 2], len(body), close=True)
    if fault.name == "length":
        return Answer(200, body, len(body) + int(fault.value))
    if fault.name == "bad-utf8":
        broken = head + b"mo\xff\xfeck " + tail
        return Answer(200, broken, len(broken))
    if fault.name == "huge":
        size = fault.size_bytes("100M")
        return Answer(200, head, len(body) + size, filler_bytes=size, tail=word + tail)
    if fault.name == "bad-json":
        choice["message"]["content"] = "not json at all"
    elif fault.name == "truncated":
        choice["message"]["content"] = choice["message"]["content"][:25]
        choice["finish_reason"] = "length"
    elif fault.name == "long":
        drawn, size = random.Random(fault.value), int(fault.value)
        words = ("".join(drawn.choices(ascii_lowercase, k=6)) for _ in range(size // 7 + 1))
        _say_first(choice["message"], " ".join(words)[:size])
    elif fault.name == "loop":
        _say_first(choice["message"], "a mock car and " * _ROUNDS)
    return None


def _say_first(message: dict[str, Any], text: str) -> None:
    if not message["content"].startswith("{"):  # no form was asked for
        message["content"] = text
        return
    fields = json.loads(message["content"])
    message["content"] = json.dumps({**fields, next(iter(fields)): text})
