"""Asks a server one question and tells its answers apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from cinecut.errors import InferenceError
from cinecut.inference.asking import BadReplyError, RefusedError, ask_server
from cinecut.models import Skip

Told = TypeVar("Told")


class ServerBusyError(Exception):
    """The server asks to come back later (HTTP 429 or 503)."""


def ask(
    url: str,
    api_key: str | None,
    body: dict[str, Any],
    timeout_s: float,
    read: Callable[[Any], Told | Skip],
) -> Told | Skip:
    """Post a chat completion request and return what `read` makes of it, or why there is nothing.

    Raises:
        ServerLostError: There was no connection, or it broke.
        NoReplyError: `timeout_s` seconds went by.
        ServerBusyError: The server asks to come back later.
        InferenceError: The server says that no picture can be described like this: wrong key,
            no vision, too small a context. Asking about another picture is no use.
    """
    try:
        return read(ask_server(url, api_key, body, timeout_s=timeout_s))
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
