"""Says what a llama-server would: pure functions from a request to the body of the answer."""

from __future__ import annotations

import hashlib
import json
import random
import time
from typing import Any, Final

from cinecut.mock_server.chat import CHARS_PER_TOKEN, MEDIA_MARKER, ChatRequest, tokens_in
from cinecut.mock_server.options import MODEL_CONTEXT_TOKENS, Options

BUILD: Final = "b0-cinecut-mock"

_ADJECTIVES: Final = ("amber", "calm", "cold", "dim", "empty", "foggy", "golden", "quiet")
_NOUNS: Final = ("alley", "bridge", "field", "forest", "harbour", "kitchen", "road", "shore")
_GARBAGE: Final = "G" * 48


def picture_digest(picture: bytes) -> str:
    """Return the eight hexadecimal digits that a description says of its picture."""
    return hashlib.sha256(picture).hexdigest()[:8]


def completion(
    request: ChatRequest, options: Options, *, number: int, took_s: float
) -> dict[str, Any]:
    """Return the chat completion, the `number`th, cut where its `max_tokens` end it."""
    content, finish_reason = _describe(request, options), "stop"
    if 0 < request.max_tokens < tokens_in(content):
        content = content[: request.max_tokens * CHARS_PER_TOKEN]
        finish_reason = "length"
    prompt_n, predicted_n = request.prompt_tokens, tokens_in(content)
    half_ms = took_s * 500
    return {
        "choices": [
            {
                "finish_reason": finish_reason,
                "index": 0,
                "message": {"role": "assistant", "content": content},
            }
        ],
        "created": int(time.time()),
        "model": options.model,
        "system_fingerprint": BUILD,
        "object": "chat.completion",
        "usage": {
            "completion_tokens": predicted_n,
            "prompt_tokens": prompt_n,
            "total_tokens": prompt_n + predicted_n,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "id": f"chatcmpl-mock{number}",
        "timings": {
            "cache_n": 0,
            "prompt_n": prompt_n,
            "prompt_ms": half_ms,
            "predicted_n": predicted_n,
            "predicted_ms": half_ms,
        },
    }


def props(options: Options) -> dict[str, Any]:
    """Return what `/props` tells."""
    impostor = "impostor" in options.plan.traits
    return {
        "default_generation_settings": {"n_ctx": options.slot_context_tokens},
        "total_slots": options.slots,
        "model_alias": options.model,
        "model_path": "another-model.gguf" if impostor else options.model,
        "modalities": {"vision": options.has_vision, "video": False, "audio": False},
        "media_marker": MEDIA_MARKER,
        "endpoint_slots": False,
        "endpoint_props": False,
        "endpoint_metrics": False,
        "chat_template": options.flags.get("--chat-template", "vicuna"),
        "bos_token": "<s>",
        "eos_token": "</s>",
        "build_info": BUILD,
        "is_sleeping": False,
    }


def models(options: Options) -> dict[str, Any]:
    """Return what `/v1/models` tells."""
    capabilities = ["completion", "multimodal"] if options.has_vision else ["completion"]
    meta = {"n_ctx": options.slot_context_tokens, "n_ctx_train": MODEL_CONTEXT_TOKENS}
    return {
        "models": [{"name": options.model, "model": options.model, "capabilities": capabilities}],
        "object": "list",
        "data": [{"id": options.model, "object": "model", "owned_by": "llamacpp", "meta": meta}],
    }


def _retell(request: ChatRequest, drawn: random.Random) -> dict[str, Any]:
    """Return what the form of a text's reply asks for, resting on scenes that it allows.

    Where it may say nothing, one reply of a few does.
    """
    least, most = request.sentences
    count = least or drawn.randint(0, most)

    def scenes() -> list[int]:
        return sorted(drawn.sample(request.scenes, min(2, len(request.scenes))))

    def words() -> str:
        return f"mock {drawn.choice(_ADJECTIVES)} {drawn.choice(_NOUNS)}"

    made: dict[str, Any] = {
        "title": words().title(),
        "sentences": [
            {"text": f"There is a {words()}, number {number}.", "scenes": scenes()}
            for number in range(1, count + 1)
        ],
        "elements": [{"name": f"the {words()}", "kind": "place", "scenes": scenes()}],
    }
    return {key: value for key, value in made.items() if key in request.keys}


def _describe(request: ChatRequest, options: Options) -> str:
    """Return the text that the picture's bytes and the allowed keys determine."""
    digest = picture_digest(b"".join(request.pictures) or request.prompt.encode())
    if not request.keys:
        is_broken = "garbage" in options.plan.traits
        return (
            _GARBAGE if is_broken else f"A mock reply, for no schema was given (picture {digest})."
        )
    drawn = random.Random(digest)
    if request.scenes:
        return json.dumps(_retell(request, drawn))
    fields = {
        key: f"mock {drawn.choice(_ADJECTIVES)} {drawn.choice(_NOUNS)}" for key in request.keys
    }
    fields[request.keys[0]] += f" (picture {digest})"
    for key in ("t", "text"):  # in half of the pictures nothing can be read
        if key in fields:
            fields[key] = fields[key].upper() if int(digest, 16) % 2 else ""
    return json.dumps(fields)
