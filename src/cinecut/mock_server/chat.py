"""Reads chat requests as llama-server does, and refuses what it refuses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cinecut.mock_server.options import Options

MEDIA_MARKER: Final = "<__media__>"
PICTURE_TOKENS: Final = 576
"""What LLaVA-1.5 spends on a picture: 24 by 24 patches."""
CHARS_PER_TOKEN: Final = 4

_TRIAL_TOKENS: Final = 64
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    503: "unavailable_error",
}


class RequestError(Exception):
    """A request that is answered with an HTTP error."""

    def __init__(self, status: int, message: str, *, kind: str = "", **facts: int) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {
            "error": {
                "code": status,
                "message": message,
                "type": kind or _ERROR_TYPES.get(status, "server_error"),
                **facts,
            }
        }


@dataclass(frozen=True)
class ChatRequest:
    """What the mock reads in a chat completion request."""

    prompt: str
    pictures: tuple[bytes, ...]
    keys: tuple[str, ...]
    """The keys of the JSON object that the schema or the grammar allows; none without either."""
    scenes: tuple[int, ...]
    """The numbers that may stand where the form wants those of scenes."""
    sentences: tuple[int, int]
    """How many sentences the form wants, at the least and at the most."""
    max_tokens: int
    """Zero or less for no bound."""
    streams: bool
    """Whether the reply is to come piece by piece."""

    @property
    def is_trial(self) -> bool:
        """Whether it asks for a few words about a picture, in no form.

        Not every run begins so: it counts as no request, takes no time and meets no fault of those
        that have a number.
        """
        return bool(self.pictures) and not self.keys and 0 < self.max_tokens <= _TRIAL_TOKENS

    @property
    def prompt_tokens(self) -> int:
        """An estimate."""
        return PICTURE_TOKENS * len(self.pictures) + tokens_in(self.prompt)


def tokens_in(text: str) -> int:
    """Return an estimate of the tokens in `text`."""
    return len(text) // CHARS_PER_TOKEN + 1


def read_chat(body: Any, options: Options) -> ChatRequest:
    """Understand the JSON `body` of a chat request.

    Raises:
        RequestError: what llama-server refuses: no messages, a picture without vision or that
            is none, a broken grammar.
    """
    if not isinstance(body, dict) or "messages" not in body:
        raise RequestError(400, "'messages' is required")
    turns: list[tuple[str, str]] = []
    pictures: list[bytes] = []
    for message in body["messages"]:
        parts = message.get("content") or ""
        if isinstance(parts, str):
            parts = [{"type": "text", "text": parts}]
        texts = []
        for part in parts:
            if part.get("type") == "image_url":
                pictures.append(_picture(part["image_url"]["url"], options))
                texts.append(MEDIA_MARKER)
            else:
                texts.append(part.get("text", ""))
        turns.append((message.get("role", "user"), "\n".join(texts)))
    return ChatRequest(
        prompt=_render(turns, options),
        pictures=tuple(pictures),
        keys=_allowed_keys(body),
        scenes=_allowed_scenes(body),
        sentences=_wanted_sentences(body),
        max_tokens=int(body.get("max_tokens") or body.get("n_predict") or 0),
        streams=body.get("stream") is True,
    )


def check_prompt(request: ChatRequest, options: Options) -> None:
    """Refuse a prompt that has lost its pictures or does not fit into a slot.

    Raises:
        RequestError: it is one of these.
    """
    if request.prompt.count(MEDIA_MARKER) != len(request.pictures):
        raise RequestError(400, "Failed to tokenize prompt")
    if request.prompt_tokens >= options.slot_context_tokens:
        raise RequestError(
            400,
            f"request ({request.prompt_tokens} tokens) exceeds the available context size "
            f"({options.slot_context_tokens} tokens), try increasing it",
            kind="exceed_context_size_error",
            n_prompt_tokens=request.prompt_tokens,
            n_ctx=options.slot_context_tokens,
        )


def _picture(url: str, options: Options) -> bytes:
    if not options.has_vision:
        hint = "hint: if this is unexpected, you may need to provide the mmproj"
        raise RequestError(500, f"image input is not supported - {hint}")
    try:
        picture = base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        picture = b""
    if not picture.startswith(_MAGIC):
        raise RequestError(400, "Failed to load image or audio file")
    return picture


def _render(turns: list[tuple[str, str]], options: Options) -> str:
    """Return the prompt with the turn markers of the template that was asked for."""
    template = options.flags.get("--chat-template")
    if template is not None and options.flags.get("--jinja") != "off" and "{" not in template:
        return template  # a template's name is taken for the text of a template
    if "chatml" in options.plan.traits or template == "chatml":
        blocks = [f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns]
        return "".join([*blocks, "<|im_start|>assistant\n"])
    markers = {"user": "USER: ", "assistant": "ASSISTANT: "}
    return "".join([*(f"{markers.get(role, '')}{text}\n" for role, text in turns), "ASSISTANT:"])


def _allowed_scenes(body: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers that a grammar's rule `scene` or a schema's `enum` allows."""
    rule = re.search(r"^scene ::= (.+)$", body.get("grammar") or "", re.MULTILINE)
    if rule:
        return tuple(map(int, re.findall(r'"(\d+)"', rule[1])))
    return tuple(_numbers(body.get("response_format")))


def _numbers(schema: Any) -> Iterator[int]:
    if isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield from schema.get("enum", ())
        for inner in schema.values():
            yield from _numbers(inner)


def _wanted_sentences(body: Mapping[str, Any]) -> tuple[int, int]:
    rule = re.search(r'sentence \("," sentence\)\{(\d+),(\d+)\}(\)\?)?', body.get("grammar") or "")
    if rule:
        return 0 if rule[3] else int(rule[1]) + 1, int(rule[2]) + 1
    form = (body.get("response_format") or {}).get("json_schema", {}).get("schema", {})
    wanted = form.get("properties", {}).get("sentences", {})
    return int(wanted.get("minItems", 0)), int(wanted.get("maxItems", 0))


def _allowed_keys(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the object that the request's schema or grammar describes.

    A `response_format` of the type `json_schema` holds its schema one level deeper; llama-server
    passes over one that stands beside the type.
    """
    response_format = body.get("response_format") or {}
    grammar = body.get("grammar")
    if grammar:
        if not re.search(r"^\s*root\s*::=", grammar, re.MULTILINE):
            raise RequestError(400, "Failed to initialize samplers: failed to parse grammar")
        return tuple(dict.fromkeys(re.findall(r'\\"(\w+)\\"', grammar)))
    schema = body.get("json_schema")
    if response_format.get("type") == "json_schema":
        schema = response_format.get("json_schema", {}).get("schema")
    elif response_format.get("type") == "json_object":
        schema = response_format.get("schema")
    return tuple((schema or {}).get("properties", {}))
