"""Asks a server about one picture and tells its answers apart."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import requests
from pydantic import ValidationError

from cinecut.errors import InferenceError
from cinecut.inference.address import ways_to
from cinecut.inference.models import SceneDescription
from cinecut.models import Skip

_LARGEST_REPLY_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 14
_DETAIL_CHARS: Final = 200
_STEP_S: Final = 0.5

Result = TypeVar("Result")


class ServerLostError(Exception):
    """The connection broke or was refused: the server may be dead."""


class NoReplyError(Exception):
    """The server did not reply within the time given."""


class ServerBusyError(Exception):
    """The server asks to come back later (HTTP 429 or 503)."""


class _ReplyTooLargeError(Exception):
    pass


def ask(
    url: str, api_key: str | None, body: dict[str, Any], timeout_s: float
) -> SceneDescription | Skip:
    """Post a chat completion request and return the description, or why there is none.

    Raises:
        ServerLostError: There was no connection, or it broke.
        NoReplyError: `timeout_s` seconds went by.
        ServerBusyError: The server asks to come back later.
        InferenceError: The server says that no picture can be described like this: wrong key,
            no vision, too small a context. Asking about another picture is no use.
    """
    try:
        reply = within(timeout_s, lambda given_up: _post(url, api_key, body, timeout_s, given_up))
    except requests.Timeout as error:
        raise NoReplyError from error
    except requests.HTTPError as error:
        return _explain_refusal(error.response)
    except _ReplyTooLargeError:
        return Skip("malformed", f"The reply is larger than {_LARGEST_REPLY_BYTES} bytes.")
    except requests.JSONDecodeError as error:
        return Skip("malformed", f"The reply is not JSON: {error}"[:_DETAIL_CHARS])
    except requests.RequestException as error:
        raise ServerLostError(type(error).__name__) from error
    except (ValueError, RecursionError) as error:  # bytes that are no text, JSON nested too deep
        return Skip("malformed", f"The reply is not JSON: {error}"[:_DETAIL_CHARS])
    return read_reply(reply)


def redirected(response: requests.Response) -> InferenceError:
    """Return the error for a server that sends the caller to another address."""
    return InferenceError(
        f"The server sends its callers on to {response.headers.get('Location', 'nowhere')}.",
        check="The address that was named.",
        tip="Name the address where it answers itself: --server-url URL",
    )


def read_reply(reply: Any) -> SceneDescription | Skip:
    """Return the description in the parsed body of a chat completion, or why there is none."""
    try:
        choice = reply["choices"][0]
        content = choice["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return Skip("malformed", "The reply has no message.")
    try:
        return SceneDescription.model_validate_json(content)
    except (ValidationError, TypeError) as error:
        if choice.get("finish_reason") == "length":
            return Skip("truncated", "The reply was cut off at its longest.")
        return Skip("malformed", _first_problem(error, content))


def wrong_key() -> InferenceError:
    """Return the error for a server that does not take the API key."""
    return InferenceError(
        "The server refuses the API key.",
        check="The key in CINECUT_API_KEY.",
        tip="Set CINECUT_API_KEY to the key that the server was started with.",
    )


def within(timeout_s: float, work: Callable[[threading.Event], Result]) -> Result:
    """Return what `work` returns or raises; give up waiting after `timeout_s` seconds.

    A timeout of `requests` counts from byte to byte, so a server that drips could hold a caller
    for ever. The event that `work` gets tells it that it has been given up.

    Time in which this process stood still (Ctrl-Z, a debugger) does not count: the reply may be
    there, and nobody has looked.

    Raises:
        NoReplyError: `timeout_s` seconds went by.
    """
    outcome: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        try:
            outcome.put((work(given_up), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True, name="cinecut-request").start()
    left_s = timeout_s
    while True:
        step_s = min(left_s, _STEP_S)
        try:
            result, error = outcome.get(timeout=step_s)
            break
        except Empty:
            left_s -= step_s  # and not what the clock says
            if left_s <= 0:
                given_up.set()
                raise NoReplyError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _post(
    url: str, api_key: str | None, body: dict[str, Any], timeout_s: float, given_up: threading.Event
) -> Any:
    response = requests.post(
        url,
        json=body,
        timeout=timeout_s,
        stream=True,
        **ways_to(url, api_key),
        hooks={"response": lambda answer, **_: _read_bounded(answer, given_up)},
    )
    response.raise_for_status()
    return response.json()


def _read_bounded(response: requests.Response, given_up: threading.Event) -> requests.Response:
    """Return `response` with its body read into memory, so far and no further.

    JSON is UTF-8 (RFC 8259, section 8.1), whatever the headers say; `requests` would guess, and
    take a broken reply for text in another encoding.

    Raises:
        UnicodeDecodeError: The body of a good reply is not UTF-8.
        InferenceError: The server sends its callers to another address.
    """
    if response.is_redirect:
        raise redirected(response)
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > _LARGEST_REPLY_BYTES:
            response.close()
            raise _ReplyTooLargeError
        if given_up.is_set():
            response.close()
            raise NoReplyError
    if response.ok:
        body.decode("utf-8")
    whole = requests.Response()
    whole.encoding = "utf-8"
    whole.status_code, whole.reason, whole.url = response.status_code, response.reason, response.url
    whole.headers, whole.request = response.headers, response.request
    whole.raw = io.BytesIO(bytes(body))
    return whole


def _explain_refusal(response: requests.Response) -> Skip:
    """Return the skip that an HTTP error means for one picture.

    Raises:
        ServerBusyError: The same request may succeed later.
        InferenceError: The error would meet every other picture too.
    """
    status = response.status_code
    kind, message = _error_of(response)
    said = f"HTTP {status}: {message}"[:_DETAIL_CHARS]
    match status, kind:
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
        case _, "exceed_context_size_error":
            raise InferenceError(
                f"The context of a slot is too small for a picture and its reply ({said}).",
                tip="Start the server with more context a slot: -c SLOTS x 4096",
            )
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


def _error_of(response: requests.Response) -> tuple[str, str]:
    """Return type and message of an error body; an empty type where the body tells none."""
    try:
        error = response.json()["error"]
        return str(error.get("type", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", response.text[:_DETAIL_CHARS] or str(response.reason)


def _first_problem(error: ValidationError | TypeError, content: Any) -> str:
    if isinstance(error, TypeError):
        return "The reply's message is no text."
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    begin = content[:80] if isinstance(content, str) else content
    return f"{field + ': ' if field else ''}{problem['msg']} in {begin!r}"[:_DETAIL_CHARS]
