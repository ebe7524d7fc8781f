"""Whatever a server replies, `describe_frame` returns a description or None, and in time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from faults.reply_bodies import Reply, check, check_server, drip, raw_answers, raw_server, replies
from hypothesis import HealthCheck, given, settings

# The same examples every time, and no complaint about a machine that is busy: the search for new
# ones is the long round's, in scripts/soak.
_WITH_FIXTURES = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"a picture")
    return path


@given(reply=replies)
@settings(_WITH_FIXTURES, max_examples=400)
def test_any_reply_is_a_description_or_none(reply: Reply, picture: Path) -> None:
    check(reply, picture)


@given(answer=raw_answers)
@settings(_WITH_FIXTURES, max_examples=60)
def test_any_bytes_on_the_wire_are_a_description_or_none(answer: bytes, picture: Path) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        check_server(url, picture)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"186a0\r\n" + b" " * 100_000),
    ],
    ids=["body", "chunks", "no length", "header", "status", "broad"],
)
def test_a_reply_without_end_is_given_up_in_time(head: bytes, body: bytes, picture: Path) -> None:
    with raw_server(partial(drip, head=head, body=body)) as url:
        assert check_server(url, picture) is None
