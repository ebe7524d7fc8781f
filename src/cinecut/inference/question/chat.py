"""Asks a server one question and tells its answers apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cinecut.errors import InferenceError
from cinecut.inference.asking import BadReplyError, RefusedError, ask_server
from cinecut.inference.question.thinking import THOUGHTS
from cinecut.models import Skip

Told = TypeVar("Told")

_DETAIL_CHARS: Final = 200


class ServerBusyError(Exception):
    """The server asks to come back later (HTTP 429 or 503)."""


def ask(
    url: str,
    api_key: str | None,
    body: dict[str, Any],
    timeout_s: float,
    read: Callable[[Any], Told | Skip],
    follow: Callable[[str], None] | None = None,
) -> Told | Skip:
    """Post a chat completion request and return what `read` makes of it, or why there is nothing.

    Args:
        url: The whole address.
        api_key: The server's key.
        body: The request.
        timeout_s: Seconds for all of it.
        read: Makes an outcome of the whole reply.
        follow: Called with the reply's words so far, time and again, in a thread of its own; a
            server that streams nothing calls it never. None has the reply come whole.

    Raises:
        ServerLostError: There was no connection, or it broke.
        NoReplyError: `timeout_s` seconds went by.
        ServerBusyError: The server asks to come back later.
        InferenceError: The server says that no picture can be described like this: wrong key,
            no vision, too small a context. Asking about another picture is no use.
    """
    said = ""

    def take(event: Any) -> None:
        nonlocal said
        said += _piece_of(event)
        if follow:
            follow(said)

    try:
        if follow is None:
            return read(ask_server(url, api_key, body, timeout_s=timeout_s))
        streamed = {**body, "stream": True}
        reply = ask_server(url, api_key, streamed, timeout_s=timeout_s, follow=take)
        return _failure_in(reply) or read(_whole(reply))
    except BadReplyError as error:
        return Skip("malformed", str(error))
    except RefusedError as error:
        return _explain_refusal(error)


def wrong_key() -> InferenceError:
    """Return the error for a server that does not take the API key."""
    return InferenceError(
        "The server refuses the API key.",
        check="The key in CINECUT_API_KEY.",
        tip="Set CINECUT_API_KEY to the key that the server was started with.",
    )


def _piece_of(event: Any, name: str = "content") -> str:
    """Return the words that an event of a streamed chat completion adds to a part of it."""
    try:
        piece = event["choices"][0]["delta"][name]
    except (KeyError, IndexError, TypeError):
        return ""
    return piece if isinstance(piece, str) else ""


def _whole(reply: Any) -> Any:
    """Return a chat completion as it comes whole; `reply` may be the events of a streamed one."""
    if not isinstance(reply, list):
        return reply
    ends = [
        choice.get("finish_reason")
        for event in reply
        if isinstance(event, dict) and isinstance(event.get("choices"), list)
        for choice in event["choices"][:1]
        if isinstance(choice, dict)
    ]
    message = {"content": "".join(map(_piece_of, reply))}
    for name in THOUGHTS:
        if thoughts := "".join(_piece_of(event, name) for event in reply):
            message[name] = thoughts
    return {"choices": [{"message": message, "finish_reason": next(filter(None, ends), None)}]}


def _failure_in(reply: Any) -> Skip | None:
    """Return what went wrong after a server had begun to stream, if something did."""
    events = reply if isinstance(reply, list) else []
    for event in events:
        error = event.get("error") if isinstance(event, dict) else None
        if error is not None:
            said = error.get("message") if isinstance(error, dict) else error
            return Skip("server_error", str(said)[:_DETAIL_CHARS])
    return None


def _explain_refusal(refused: RefusedError) -> Skip:
    """Return the skip that an HTTP error means for one picture.

    Raises:
        ServerBusyError: The same request may succeed later.
        InferenceError: The error would meet every other picture too.
    """
    said, message = str(refused), refused.said
    match refused.status, refused.kind:
        case ((401 | 403), _):
            raise wrong_key()
        case 404, _:
            raise InferenceError(
                "The server has no chat completions at this address.",
                check="The address in --server-url, such as http://127.0.0.1:8080",
                tip="Name the server's root address; CineCut adds /v1/chat/completions.",
            )
        case ((429 | 503), _):
            raise ServerBusyError(said)
        case _ if "exceed_context" in refused.kind or "available context size" in message:
            return Skip("too_large", f"{said}: it needs more context a slot (-c)")
        case _ if "image input is not supported" in message:
            raise InferenceError(
                "The server has no vision: it was started without an mmproj.",
                tip="Start it with --mmproj FILE.",
            )
        case _ if "Failed to tokenize prompt" in message:
            raise InferenceError(
                "The chat template leaves the picture out of the prompt.",
                tip="Start the server with the model's own chat template.",
            )
        case 400, _ if any(word in message for word in ("grammar", "samplers", "schema")):
            raise InferenceError(f"The server cannot hold replies to a form ({said}).")
        case _ if re.search(r"load image|image or audio|decode image|media", message):
            return Skip("bad_image", said)
    return Skip("server_error", said)
