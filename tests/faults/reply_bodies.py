"""Makes replies of every kind, and says what `describe_frame` owes its caller for each."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import responses
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.models import KeyframeRecord

FIELDS: Final = ("visual_content", "mood", "action", "setting")
TIMEOUT_S: Final = 0.4
"""Shorter than the pause before a server is asked again: a reply is asked for twice at most."""
_AIR_S: Final = 10.0  # for a machine that has other things to do; a reply without end takes longer
_URL: Final = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Reply:
    """What a server answers."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from([10**400, "\ud800", "\x00", "\u2028", "\x1b]0;x\x07"])
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=8,
)
_descriptions = st.fixed_dictionaries(dict.fromkeys(FIELDS, st.text(min_size=1, max_size=40)))
_deep = st.sampled_from(["[", '{"a":', "[{"]).map(lambda opening: opening * 5000)


def _texts() -> SearchStrategy[str]:
    """Return what may stand in a completion's message: a description, or nearly one."""
    whole = _descriptions.map(json.dumps)
    spoiled = st.builds(
        lambda text, at, more: text[: at % len(text)] + more, whole, st.integers(0), st.text()
    )
    wrong = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, _values)).map(json.dumps)
    fenced = whole.map(lambda text: f"```json\n{text}\n```")
    return st.one_of(whole, spoiled, wrong, fenced, _deep, st.text(), _values.map(json.dumps))


_good_completions = _descriptions.map(
    lambda description: {"choices": [{"message": {"content": json.dumps(description)}}]}
)


def _completions() -> SearchStrategy[Any]:
    message = st.fixed_dictionaries({"role": st.just("assistant"), "content": _texts() | _values})
    choice = st.fixed_dictionaries(
        {"message": message | _values},
        optional={"finish_reason": st.sampled_from(["stop", "length", None, 7])},
    )
    return st.fixed_dictionaries({"choices": st.lists(choice, max_size=2) | _values})


def _bodies() -> SearchStrategy[bytes]:
    completions = (_completions() | _good_completions).map(lambda value: json.dumps(value).encode())
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], completions, st.integers(0))
    flipped = st.builds(_with_a_byte_flipped, completions, st.integers(0), st.integers(1, 255))
    recoded = st.builds(
        lambda body, code: body.decode().encode(code),
        completions,
        st.sampled_from(["utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
    )
    values = _values.map(lambda value: json.dumps(value).encode())
    errors = st.fixed_dictionaries({"error": _values}).map(lambda error: json.dumps(error).encode())
    return st.one_of(
        completions, completions, cut, flipped, recoded, values, errors, st.binary(),
        _deep.map(str.encode), st.just(b"9" * 5000),
    )  # fmt: skip


def _with_a_byte_flipped(body: bytes, at: int, bits: int) -> bytes:
    at %= len(body)
    return body[:at] + bytes([body[at] ^ bits]) + body[at + 1 :]


_headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from([
            "application/json", "text/html", "application/json; charset=nonsense",
            "application/json; charset=utf-16", "application/json; charset=punycode", "\xff",
        ]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "identity", "nonsense"]),
        "Location": st.sampled_from(["", "/again", "http://[", "nonsense:", "\xe9"]),
    },
)  # fmt: skip

replies: Final = st.builds(
    Reply,
    _bodies(),
    st.just(200) | st.just(200) | st.sampled_from([204, 302, 400, 401, 404, 429, 500, 503, 599]),
    st.just({}) | _headers,
) | st.builds(
    lambda body: Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}), _bodies()
)


def check(reply: Reply, picture: Path) -> SceneDescription | None:
    """Hold `describe_frame` to its word about `reply`, and return what it returned."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/again")):
            mock.add(method, _URL + path, reply.body, status=reply.status, headers=reply.headers)
        return check_server(_URL, picture)


def check_server(url: str, picture: Path) -> SceneDescription | None:
    """Hold `describe_frame` to its word about whatever answers at `url`.

    It returns a description that is one, or None; it raises nothing; it comes back in time.
    """
    engine = LlavaEngine.__new__(LlavaEngine)
    engine.base_url = url
    began_s = time.monotonic()
    outcome = engine.describe_frame(KeyframeRecord(0.0, str(picture), "scene_change"), TIMEOUT_S)
    took_s = time.monotonic() - began_s
    assert took_s < TIMEOUT_S + _AIR_S, f"{took_s:.1f} s"
    if outcome is not None:
        assert type(outcome) is SceneDescription
        values = [getattr(outcome, name) for name in FIELDS]
        assert all(isinstance(value, str) and value.strip() for value in values), values
    return outcome


@contextlib.contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen, and let `answer` write to each connection whatever it likes; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, answer), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(listening: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # it was shut down
            return
        threading.Thread(target=_answer, args=(connection, answer), daemon=True).start()


def _answer(connection: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with connection, contextlib.suppress(OSError):
        connection.recv(1 << 20)
        answer(connection)


def drip(connection: socket.socket, head: bytes, body: bytes = b" ") -> None:
    """Send `head`, and then `body` again and again, a little at a time, until nobody listens."""
    connection.sendall(head)
    while True:
        connection.sendall(body)
        time.sleep(TIMEOUT_S / 20)


_GOOD: Final = json.dumps(
    {"choices": [{"message": {"content": json.dumps(dict.fromkeys(FIELDS, "a word"))}}]}
).encode()

raw_answers: Final = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda status, length, body, more: (
            b"HTTP/1.1 %s OK\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, length, body)
        ),
        st.sampled_from([b"200", b"200", b"500", b"99", b"x", b"100"]),
        st.integers(0, 400) | st.just(len(_GOOD)) | st.just(-1),
        _bodies() | st.just(_GOOD),
        st.sampled_from(
            [b"", b"Transfer-Encoding: chunked\r\n", b"no colon\r\n", b"\xff: \xff\r\n"]
        ),
    ),
    st.builds(
        lambda size, body: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n%s\r\n" % (size, body)
        ),
        st.sampled_from([b"5", b"ffffffffff", b"-1", b"zz", b""]),
        st.just(_GOOD),
    ),
)
"""What a server may send that has never heard of HTTP, or only a little."""
