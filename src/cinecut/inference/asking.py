"""Asks a server: the only place that does, within bounds of bytes and of seconds."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import requests

from cinecut.errors import InferenceError
from cinecut.inference.address import ways_to

LARGEST_REPLY_BYTES: Final = 1 << 20
"""Many times a description; a journal's longest line (`results/entries.py`) has room for it."""

_CHUNK_BYTES: Final = 1 << 14
_DETAIL_CHARS: Final = 200
_STEP_S: Final = 0.2
_SHORTEST_SECRET: Final = 8  # a shorter key is no secret, and may be a word of a description
# None or one: each layer of compression makes a thousand bytes of one, before they are counted.
_ENCODINGS: Final = {"", "identity", "gzip", "x-gzip", "deflate"}
_EVENTS: Final = "text/event-stream"

Result = TypeVar("Result")


class AskingError(Exception):
    """The server was asked, and has not given what was asked for."""


class ServerLostError(AskingError):
    """The connection broke or was refused: the server may be dead."""


class NoReplyError(AskingError):
    """The server did not reply within the time given."""


class BadReplyError(AskingError):
    """The reply is no JSON, or larger than any that could be meant."""


class RefusedError(AskingError):
    """The server replied with an HTTP status of 400 or above."""

    def __init__(self, status: int, kind: str, said: str) -> None:
        """Take the status, the type in the error's body (empty if none), and what was said."""
        super().__init__(f"HTTP {status}: {said}"[:_DETAIL_CHARS])
        self.status, self.kind, self.said = status, kind, said


def ask_server(
    url: str,
    api_key: str | None = None,
    body: dict[str, Any] | None = None,
    *,
    timeout_s: float,
    most_bytes: int = LARGEST_REPLY_BYTES,
    is_cancelled: Callable[[], bool] = lambda: False,
    follow: Callable[[Any], None] = lambda event: None,
) -> Any:
    """Return the JSON that `url` replies with; of server-sent events a list of what each holds.

    Args:
        url: The whole address.
        api_key: The key, which goes to no other address. No error repeats it.
        body: What to post; None gets.
        timeout_s: Seconds for all of it.
        most_bytes: The size of the largest reply that is read, decompressed.
        is_cancelled: Asked several times a second; True ends it with KeyboardInterrupt.
        follow: Called with each event as it comes, in the thread that reads; raises nothing.

    Raises:
        AskingError: There is no such reply; its kinds say why.
        InferenceError: The server sends its callers elsewhere, or the environment names
            certificates that are not there.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    ways = ways_to(url, api_key)

    def work(given_up: threading.Event) -> Any:
        ways["hooks"] = {
            "response": lambda reply, **_: _read_bounded(
                reply, api_key, most_bytes, given_up, follow
            )
        }
        ways["headers"] = {"Accept-Encoding": "gzip, deflate"}
        if body is None:
            response = requests.get(url, timeout=timeout_s, stream=True, **ways)
        else:
            response = requests.post(url, json=body, timeout=timeout_s, stream=True, **ways)
        response.raise_for_status()
        if _has_events(response):
            return list(_events(response.content.splitlines()))
        return response.json()

    try:
        return within(timeout_s, work, is_cancelled)
    except requests.Timeout as error:
        raise NoReplyError(f"no reply within {timeout_s:g} s") from error
    except requests.HTTPError as error:
        raise _refused(error.response, api_key) from error
    except (requests.JSONDecodeError, RecursionError) as error:  # RecursionError: nested too deep
        raise BadReplyError(f"The reply is not JSON: {error}"[:_DETAIL_CHARS]) from error
    except OSError as error:  # whatever `requests` raises is one, and so is what it lets through
        raise ServerLostError(_cause(error)) from error
    except ValueError as error:  # bytes that are no text, a number of too many digits
        raise BadReplyError(f"The reply is not JSON: {error}"[:_DETAIL_CHARS]) from error


def within(
    timeout_s: float,
    work: Callable[[threading.Event], Result],
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Result:
    """Return what `work` returns or raises; give up waiting after `timeout_s` seconds.

    A timeout of `requests` counts from byte to byte, so a server that drips could hold a caller
    for ever. The event that `work` gets tells it that it has been given up.

    Time in which this process stood still (Ctrl-Z, a debugger) does not count: the reply may be
    there, and nobody has looked.

    Raises:
        NoReplyError: `timeout_s` seconds went by.
        KeyboardInterrupt: `is_cancelled` said so.
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
    try:
        while True:
            step_s = min(left_s, _STEP_S)
            try:
                result, error = outcome.get(timeout=step_s)
                break
            except Empty:
                left_s -= step_s  # and not what the clock says
                if is_cancelled():
                    raise KeyboardInterrupt from None
                if left_s <= 0:
                    raise NoReplyError(f"no reply within {timeout_s:g} s") from None
    finally:
        given_up.set()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _read_bounded(
    response: requests.Response,
    api_key: str | None,
    most_bytes: int,
    given_up: threading.Event,
    follow: Callable[[Any], None],
) -> requests.Response:
    """Return `response` with its body read into memory, so far and no further.

    JSON is UTF-8 (RFC 8259, section 8.1), whatever the headers say; `requests` would guess, and
    take a broken reply for text in another encoding.

    Raises:
        BadReplyError: The body is too large, or compressed in a way that has no bound.
        UnicodeDecodeError: The body of a good reply is not UTF-8.
        InferenceError: The server sends its callers to another address.
    """
    with response:
        if response.is_redirect:
            place = _without(api_key, response.headers.get("Location", "nowhere"))
            raise InferenceError(
                f"The server sends its callers on to {place[:_DETAIL_CHARS]}.",
                check="The address that was named.",
                tip="Name the address where it answers itself: --server-url URL",
            )
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise BadReplyError(f"The reply is compressed as {encoding[:20]}.")
        body = bytearray()
        told = 0 if _has_events(response) else None
        for chunk in response.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > most_bytes:
                raise BadReplyError(f"The reply is larger than {most_bytes} bytes.")
            if given_up.is_set():
                raise NoReplyError
            if told is not None and (end := body.rfind(b"\n") + 1) > told:
                for event in _events(bytes(_masked(body[told:end], api_key)).splitlines()):
                    follow(event)
                told = end
    if response.ok:
        body.decode("utf-8")
    body = _masked(body, api_key)
    whole = requests.Response()
    whole.encoding = "utf-8"
    whole.status_code, whole.reason, whole.url = response.status_code, response.reason, response.url
    whole.headers, whole.request = response.headers, response.request
    whole.raw = io.BytesIO(bytes(body))
    return whole


def _masked(body: bytearray, api_key: str | None) -> bytearray:
    """Return `body` without the key: a good reply may repeat it, too."""
    if api_key and len(api_key) >= _SHORTEST_SECRET:
        return body.replace(api_key.encode(), b"***")
    return body


def _has_events(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "")
    return response.ok and kind.partition(";")[0].strip().lower() == _EVENTS


def _events(lines: Iterable[bytes]) -> Iterator[Any]:
    """Yield what each event holds: JSON on a line, as chat completions are streamed."""
    for line in lines:
        name, _, held = line.partition(b":")
        if name == b"data" and held.strip() != b"[DONE]":
            yield json.loads(held)


def _refused(response: requests.Response, api_key: str | None) -> RefusedError:
    """Return the error for a status; of the body the error's type and message, if it has one."""
    kind, said = "", ""
    try:
        error = response.json()["error"]
        kind, said = str(error.get("type", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = response.text[:_DETAIL_CHARS] or str(response.reason)
    return RefusedError(response.status_code, kind, _without(api_key, said))


def _without(api_key: str | None, text: str) -> str:
    """Return what a server said without the key, which some repeat to who gave a wrong one."""
    return text.replace(api_key, "***") if api_key else text


def _cause(error: OSError) -> str:
    """Return in words why there is no connection; what `requests` says holds the whole URL."""
    match error:
        case requests.exceptions.ProxyError():
            return (
                "the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names does not let it through"
            )
        case requests.exceptions.SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate is not one of those to trust (SSL_CERT_FILE)"
        case requests.exceptions.SSLError():
            return "https is not what it speaks, or SSL_CERT_FILE holds no certificates"
        case requests.exceptions.InvalidSchema() | requests.exceptions.InvalidProxyURL():
            return "the environment names a proxy that cannot be used"
        case requests.exceptions.ContentDecodingError():
            return "what it sends is not compressed as it says"
        case _:
            return type(error).__name__
