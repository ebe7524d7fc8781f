"""A server's log tells why it failed, never fills the disk, and is no danger when it is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from cinecut.errors import InferenceError, OutputError
from cinecut.inference.server import log as server_log
from cinecut.inference.server.child import LlamaServer

NewServer = Callable[..., LlamaServer]


def test_the_end_of_the_log_is_shown(new_server: NewServer) -> None:
    server = new_server("log=3K@load exit@load")

    with pytest.raises(InferenceError, match=r"last lines of its log:(\n    .*chatter.*)+"):
        server.start()


def test_a_log_that_cannot_be_written_is_told_so(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    server.log_path = tmp_path

    with pytest.raises(OutputError, match="directory"):
        server.start()


def test_a_log_beyond_its_bound_is_cut_and_the_server_still_found(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is cut while it is being read for the address."""
    monkeypatch.setattr(server_log, "_LARGEST_BYTES", 100_000)
    monkeypatch.setattr(server_log, "_KEPT_BYTES", 10_000)
    monkeypatch.setattr("cinecut.inference.server.child._LOG_CHECK_S", 0.01)
    server = new_server("log=20M@load", environment={"CINECUT_MOCK_LOAD_S": "0.5"})
    server.start()

    wait_until(lambda: server.log_path.stat().st_size < 200_000)
    assert server.answers()


def test_the_end_of_a_log_survives_its_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_log, "_LARGEST_BYTES", 1000)
    monkeypatch.setattr(server_log, "_KEPT_BYTES", 100)
    log = tmp_path / "server.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 2000 + b"the reason")
        server_log.cut_log(log)
        writer.write(b" and more")

    assert log.read_bytes() == b"a" * 90 + b"the reason and more"


def test_a_log_that_somebody_has_removed_harms_nothing(
    new_server: NewServer, tmp_path: Path
) -> None:
    server = new_server()
    server.start()
    server.log_path.unlink()

    assert server.answers()
    assert "the log is empty" in str(server.failure("It did something."))
    server.stop()
    assert not server.is_alive
