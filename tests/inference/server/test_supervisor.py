"""A server that dies or hangs is started anew, by one thread for all, and not for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_process import PATIENCE_S, ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import InferenceError
from cinecut.inference.gpu.slots import SlotPlan
from cinecut.inference.server.child import LlamaServer
from cinecut.inference.server.launch import Launch
from cinecut.inference.server.supervisor import Supervisor

NewSupervisor = Callable[..., Supervisor]


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def new_supervisor(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path, notices: list[str]
) -> Iterator[NewSupervisor]:
    made = []

    def new(*, is_cancelled: Callable[[], bool] = lambda: False, **environment: str) -> Supervisor:
        command = [str(mock_server.path), "-m", str(tiny_model.model)]
        supervisor = Supervisor(
            Launch(command, {**os.environ, **environment}, SlotPlan(4, 2048, ""), False),
            tmp_path / "server.log",
            tiny_model.model,
            prove=lambda server: 3,
            silence_limit_s=PATIENCE_S,
            on_notice=notices.append,
            is_cancelled=is_cancelled,
        )
        made.append(supervisor)
        return supervisor

    yield new
    for supervisor in made:
        supervisor.stop()


@pytest.fixture
def supervisor(new_supervisor: NewSupervisor) -> Supervisor:
    """One with a server that runs."""
    supervisor = new_supervisor()
    supervisor.start()
    return supervisor


def kill(server: LlamaServer) -> None:
    assert server._process is not None
    os.kill(server.pids[0], signal.SIGKILL)
    server._process.wait(PATIENCE_S)


def revive(supervisor: Supervisor, *, is_silent: bool = False) -> bool:
    return supervisor.revive(supervisor.server, time.monotonic(), is_silent=is_silent)


def test_the_proof_tells_the_slots(supervisor: Supervisor) -> None:
    assert supervisor.slots == 3
    assert supervisor.server.answers()


def test_a_dead_server_is_started_anew(supervisor: Supervisor, notices: list[str]) -> None:
    lost = supervisor.server
    kill(lost)

    assert supervisor.revive(lost, time.monotonic(), is_silent=False)
    assert supervisor.server is not lost
    assert supervisor.server.answers()
    assert notices == ["llama-server has died: starting it anew."]


def test_threads_that_lose_the_same_server_share_the_next_one(
    supervisor: Supervisor, notices: list[str]
) -> None:
    lost = supervisor.server
    kill(lost)
    revived: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: revived.append(
                supervisor.revive(lost, time.monotonic(), is_silent=False)
            )
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert revived == [True] * 8
    assert len(notices) == 1


def test_a_server_that_is_well_is_left_alone(supervisor: Supervisor, notices: list[str]) -> None:
    """The connection broke, or a reply is late, and others were answered meanwhile."""
    server, asked_s = supervisor.server, time.monotonic()

    assert not revive(supervisor)
    supervisor.note_reply()
    assert not supervisor.revive(server, asked_s, is_silent=True)
    assert supervisor.server is server
    assert notices == []


def test_a_server_that_answers_nobody_hangs_whatever_its_health_says(
    supervisor: Supervisor, notices: list[str]
) -> None:
    assert supervisor.server.answers()
    assert revive(supervisor, is_silent=True)
    assert notices == ["llama-server hangs: starting it anew."]


def test_one_that_fails_without_progress_is_given_up(supervisor: Supervisor) -> None:
    for _ in range(3):
        kill(supervisor.server)
        assert revive(supervisor)
    kill(supervisor.server)

    with pytest.raises(InferenceError, match="failed 4 times without one reply in between"):
        revive(supervisor)


def test_one_that_is_always_too_late_is_given_up_with_the_remedy(supervisor: Supervisor) -> None:
    for _ in range(3):
        assert revive(supervisor, is_silent=True)

    with pytest.raises(InferenceError, match="Tip: Give a frame more time: --timeout"):
        revive(supervisor, is_silent=True)


def test_with_progress_it_is_never_given_up(supervisor: Supervisor) -> None:
    for _ in range(5):
        kill(supervisor.server)
        assert revive(supervisor)
        supervisor.note_reply()


def test_after_the_stop_nothing_is_started(supervisor: Supervisor, notices: list[str]) -> None:
    supervisor.stop()

    with pytest.raises(InferenceError, match="closed"):
        revive(supervisor)
    assert notices == []


def test_a_stop_ends_a_restart_that_is_under_way(
    new_supervisor: NewSupervisor, tmp_path: Path
) -> None:
    shown = tmp_path / "shown"
    supervisor = new_supervisor(CINECUT_MOCK_FAULT="freeze@load", CINECUT_MOCK_ONCE=str(shown))
    shown.write_text("freeze@load load\n")  # so that the first server starts
    supervisor.start()
    shown.write_text("")
    lost = supervisor.server
    kill(lost)
    ended: list[BaseException] = []

    def lose() -> None:
        try:
            supervisor.revive(lost, time.monotonic(), is_silent=False)
        except InferenceError as error:
            ended.append(error)

    thread = threading.Thread(target=lose)
    thread.start()
    deadline_s = time.monotonic() + PATIENCE_S
    while not shown.read_text():  # the second one stands still
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    supervisor.stop()
    thread.join(PATIENCE_S)

    assert ended
    assert not supervisor.server.is_alive
