"""A chat completion that comes piece by piece: told as it comes, and whole in the end."""

from __future__ import annotations

import json
import socket
import threading
from functools import partial
from typing import Any

import pytest
from faults.reply_bodies import raw_server
from test_asking import say

from cinecut.inference.asking import BadReplyError, ServerLostError, ask_server
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.chat import ask
from cinecut.inference.question.reply import read_reply
from cinecut.models import Skip

PATIENCE_S = 30.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def event(content: Any = None, **more: Any) -> bytes:
    told = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}
    return b"data: " + json.dumps({**told, **more}).encode() + b"\n\n"


def thought(name: str, content: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {name: content}}]}).encode() + b"\n\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_words_are_told_before_the_next_ones_are_there() -> None:
    told: list[str] = []
    is_told = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(event()))
        connection.sendall(chunk(event("One")[:-9]))  # half an event
        connection.sendall(chunk(event("One")[-9:]))
        assert is_told.wait(PATIENCE_S)
        connection.sendall(chunk(event(" two.") + b": a comment\n\ndata: [DONE]\n\n") + chunk(b""))

    def follow(text: str) -> None:
        told.append(text)
        if text:
            is_told.set()

    with raw_server(answer) as url:
        whole = ask(url, None, {}, PATIENCE_S, lambda reply: reply, follow)

    assert told == ["", "One", "One two."]
    assert whole["choices"][0]["message"]["content"] == "One two."


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (event("a") + b'data: {"error": {"message": "no more"}}\n\n', "no more"),
        (event("a") + b"data: {nonsense\n\n", "not JSON"),
        (event("a") + b"data: \xff\n\n", "not JSON"),
        (event("a") + b"data: 7\n\ndata: []\n\n", {"content": "a"}),
        (b"", {"content": ""}),
        (event("the-key!"), {"content": "***"}),
    ],
)
def test_whatever_stands_in_the_events_is_told_apart(body: bytes, outcome: Any) -> None:
    told: list[str] = []
    with raw_server(partial(say, HEAD + b"\r\n" + body)) as url:
        got = ask(url, "the-key!", {}, PATIENCE_S, lambda reply: reply, told.append)

    if isinstance(got, Skip):
        assert outcome in got.detail
    else:
        assert got["choices"][0]["message"] == outcome
    assert "the-key!" not in "".join(told)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("last", [b"", event(None), event("\n\n")])
def test_a_description_in_streamed_thoughts_counts(name: str, last: bytes) -> None:
    told: list[str] = []
    described = json.dumps({"v": "A wall.", "m": "calm", "a": "Nothing.", "s": "A yard."})
    pieces = b"".join(thought(name, letter) for letter in described)
    with raw_server(partial(say, HEAD + b"\r\n" + event("") + pieces + last)) as url:
        got = ask(url, None, {}, PATIENCE_S, read_reply, told.append)

    assert isinstance(got, SceneDescription)
    assert got.setting == "A yard."
    assert not "".join(told).strip()  # thoughts are no words to show


def test_a_stream_that_breaks_is_a_lost_server_and_one_without_end_is_bounded() -> None:
    broken = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(event("a")) + b"ff\r\nhal"
    with raw_server(partial(say, broken)) as url, pytest.raises(ServerLostError):
        ask_server(url, body={}, timeout_s=PATIENCE_S)
    endless = HEAD + b"\r\n" + event("a" * 100) * 100
    with raw_server(partial(say, endless)) as url, pytest.raises(BadReplyError, match="larger"):
        ask_server(url, body={}, timeout_s=PATIENCE_S, most_bytes=9000)


def test_a_server_that_streams_nothing_is_read_whole() -> None:
    reply = {"choices": [{"message": {"content": "One."}, "finish_reason": "stop"}]}
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(reply).encode()
    with raw_server(partial(say, answer)) as url:
        assert ask(url, None, {}, PATIENCE_S, lambda reply: reply, lambda _: None) == reply
