"""Whatever a server sends, and however slowly, asking it ends in time and within bounds."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading
from functools import partial

import pytest
from faults.reply_bodies import drip, raw_server

from cinecut.errors import InferenceError
from cinecut.inference.asking import (
    BadReplyError,
    NoReplyError,
    RefusedError,
    ServerLostError,
    ask_server,
    within,
)

PATIENCE_S = 30.0


def test_work_that_takes_too_long_is_given_up() -> None:
    ended = threading.Event()

    def work(given_up: threading.Event) -> None:
        given_up.wait(PATIENCE_S)
        ended.set()

    with pytest.raises(NoReplyError):
        within(0.05, work)
    assert ended.wait(PATIENCE_S), "it was not told that it had been given up"


STANDS_STILL = """
import os, signal, subprocess, sys, threading
from cinecut.inference.asking import within
wake = "import os, signal, sys, time; time.sleep(1.5); os.kill(int(sys.argv[1]), signal.SIGCONT)"
def work(_given_up):
    sleeper = subprocess.Popen([sys.executable, "-c", wake, str(os.getpid())])
    os.kill(os.getpid(), signal.SIGSTOP)
    threading.Event().wait(0.1)
    sleeper.wait()
    return "done"
print(within(1.0, work))
"""


def test_time_in_which_this_process_stands_still_does_not_count() -> None:
    """As after Ctrl-Z and fg: it stands still for longer than the work may take."""
    done = subprocess.run(
        [sys.executable, "-c", STANDS_STILL],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert done.stdout == "done\n"


def test_what_work_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        within(PATIENCE_S, lambda _: 1 / 0)
    assert within(PATIENCE_S, lambda _: 7) == 7


def test_a_wait_ends_at_once_when_it_is_cancelled() -> None:
    ended = threading.Event()

    def work(given_up: threading.Event) -> None:
        given_up.wait(PATIENCE_S)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        within(PATIENCE_S, work, lambda: True)
    assert ended.wait(PATIENCE_S)


def say(answer: bytes, connection: socket.socket) -> None:
    """Send `answer` and hang up in order: to close over a request half read resets the line."""
    connection.sendall(answer)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1 << 16):
        pass


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "raised", "said"),
    [
        (OK + b"Content-Length: 6\r\n\r\n<html>", BadReplyError, "is not JSON"),
        (OK + b"\r\n" + b"[" * 100_000, BadReplyError, "is not JSON"),
        (OK + b"Content-Encoding: gzip, gzip\r\n\r\n", BadReplyError, "compressed as gzip, gzip"),
        (OK + b"Content-Encoding: gzip\r\n\r\nnonsense", ServerLostError, "not compressed as"),
        (b"SSH-2.0-OpenSSH\r\n", ServerLostError, "ConnectionError"),
        (b"HTTP/1.1 500 Oops\r\n\r\nkey the-key", RefusedError, r"HTTP 500: key \*\*\*"),
        (b"HTTP/1.1 307 No\r\nLocation: /the-key\r\n\r\n", InferenceError, r"on to /\*\*\*\."),
    ],
)
def test_what_comes_instead_of_json_is_told_without_the_key(
    answer: bytes, raised: type[Exception], said: str
) -> None:
    with raw_server(partial(say, answer)) as url:
        for body in (None, {"a": 1}):
            with pytest.raises(raised, match=said) as told:
                ask_server(url, "the-key", body, timeout_s=PATIENCE_S)
            assert "the-key" not in str(told.value)


def test_a_body_without_end_is_not_read_to_its_end() -> None:
    """Plain, and a gigabyte of zeros in one megabyte."""
    zipped = gzip.compress(bytes(1 << 24)) * 64
    for head, body in ((b"", b" " * (1 << 20)), (b"Content-Encoding: gzip\r\n", zipped)):
        sent = partial(drip, head=OK + head + b"\r\n", body=body)
        with raw_server(sent) as url, pytest.raises(BadReplyError, match="larger than"):
            ask_server(url, timeout_s=PATIENCE_S)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_reply_that_trickles_is_given_up(head: bytes) -> None:
    with raw_server(partial(drip, head=head)) as url, pytest.raises(NoReplyError):
        ask_server(url, timeout_s=0.3)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """With its picture, and the key on another port."""
    seen: list[bytes] = []
    with raw_server(lambda connection: seen.append(b"asked")) as other:
        moved = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
        answer = moved % (status, other.encode())
        with raw_server(partial(say, answer)) as url:
            for body in (None, {"a": 1}):
                with pytest.raises(InferenceError, match="sends its callers on to"):
                    ask_server(url, "the-key", body, timeout_s=PATIENCE_S)

    assert seen == []


def test_a_good_reply_that_repeats_the_key_is_read_without_it() -> None:
    body = b'{"said": "Bearer the-secret-key"}'
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with raw_server(partial(say, answer)) as url:
        assert ask_server(url, "the-secret-key", timeout_s=PATIENCE_S) == {"said": "Bearer ***"}
