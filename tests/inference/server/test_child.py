"""A llama-server child: ready when it answers, an error that tells why, and gone afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from server_process import PATIENCE_S, ServerProgram
from waiting import is_running, wait_until
from wrappers import WRAPPERS, write_wrapper

from cinecut.errors import InferenceError
from cinecut.inference.gpu.lock import HELD, between_processes
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.child import LlamaServer
from cinecut.inference.server.rehearsal import count_prompt_tokens

NewServer = Callable[..., LlamaServer]


def pid_of(server: LlamaServer) -> int:
    """Return the process id of the program itself, once it has become that."""
    wait_until(lambda: server.pids and b"leash.py" not in command_of(server.pids[0]))
    return server.pids[0]


def leash_of(server: LlamaServer) -> int:
    assert server._process is not None
    return server._process.pid


def command_of(pid: int) -> bytes:
    return Path("/proc", str(pid), "cmdline").read_bytes()


def is_refused(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((parts.hostname, parts.port)) != 0


def test_it_is_ready_after_start_and_gone_after_stop(new_server: NewServer) -> None:
    server = new_server()
    assert (server.is_alive, server.base_url) == (False, "")

    server.start()
    assert server.is_alive
    assert server.answers()
    assert server.get_props()["total_slots"] == 4

    server.stop()
    assert not server.is_alive
    assert not server.answers()
    assert is_refused(server.base_url)


def test_stopping_is_fine_at_any_time_and_any_number_of_times(new_server: NewServer) -> None:
    server = new_server()
    server.stop()
    assert not server.is_alive

    started = new_server()
    started.start()
    threads = [threading.Thread(target=started.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    started.stop()
    assert not started.is_alive


def test_a_server_that_was_stopped_does_not_start(new_server: NewServer) -> None:
    server = new_server()
    server.stop()

    with pytest.raises(InferenceError):
        server.start()
    assert not server.is_alive


def test_it_listens_on_loopback_and_its_key_is_not_on_the_command_line(
    new_server: NewServer,
) -> None:
    server = new_server()
    server.start()
    command = command_of(pid_of(server)).decode()

    assert urlsplit(server.base_url).hostname == "127.0.0.1"
    assert "--host\x00127.0.0.1\x00" in command
    assert server.api_key not in command
    assert requests.get(f"{server.base_url}/props", timeout=PATIENCE_S).status_code == 401


def test_it_has_a_session_of_its_own(new_server: NewServer) -> None:
    """So that Ctrl-C in the terminal does not reach it before its requests are done with."""
    server = new_server()
    server.start()

    assert os.getsid(pid_of(server)) == leash_of(server) != os.getsid(0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("exit=7@start", "ended with exit code 7 while starting"),
        ("kill@load", "was ended by SIGKILL while starting"),
        ("segfault@load", "was ended by SIGSEGV while starting"),
        ("exit=139@load", "was ended by SIGSEGV while starting"),
        ("impostor", "another model: another-model.gguf"),
        ("exit=7@start", "the log is empty"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(
    new_server: NewServer, fault: str, said: str
) -> None:
    server = new_server(fault)

    with pytest.raises(InferenceError, match=said):
        server.start()
    assert not server.is_alive


def test_a_program_that_cannot_be_run_is_told_so(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server(program=tmp_path / "none")

    with pytest.raises(InferenceError, match="cannot be run: No such file"):
        server.start()


def test_silence_counts_and_not_time(new_server: NewServer) -> None:
    """It loads for longer than the limit, with a line of log now and then."""
    environment = {"CINECUT_MOCK_LOAD_S": "3"}
    server = new_server(environment=environment, silence_limit_s=1.5)

    server.start()


def test_a_loading_server_that_stands_still_is_given_up(new_server: NewServer) -> None:
    server = new_server("freeze@load", silence_limit_s=0.5)

    with pytest.raises(InferenceError, match="no sign of life"):
        server.start()
    assert not server.is_alive


def test_a_server_that_waits_with_its_port_untold_is_given_up(
    new_server: NewServer, tmp_path: Path
) -> None:
    """The line that tells it was lost on a full disk, say. Its timers are no sign of a load."""
    spin = "end_s = time.thread_time() + 0.001\n    while time.thread_time() < end_s: pass"
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable} -IS\nimport time\nwhile True:\n    time.sleep(0.08)\n    {spin}\n"
    )
    program.chmod(0o755)
    last_s = time.monotonic() + PATIENCE_S / 2
    server = new_server(
        program=program, silence_limit_s=1.5, is_cancelled=lambda: time.monotonic() > last_s
    )

    with pytest.raises((InferenceError, KeyboardInterrupt), match="no sign of life"):
        server.start()


def test_a_server_that_loads_can_be_stopped(new_server: NewServer) -> None:
    server = new_server("freeze@load")
    raised: list[BaseException] = []

    def start() -> None:
        try:
            server.start()
        except InferenceError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    wait_until(lambda: server.is_alive)
    server.stop()
    thread.join(PATIENCE_S)

    assert raised
    assert not server.is_alive


def test_waiting_for_a_server_that_stands_still_can_be_cancelled(new_server: NewServer) -> None:
    """With what its prompt costs it may be asked for half a minute, before the first frame."""
    is_late = threading.Event()
    server = new_server(is_cancelled=is_late.is_set)
    server.start()
    os.kill(pid_of(server), signal.SIGSTOP)
    threading.Timer(0.5, is_late.set).start()
    began_s = time.monotonic()

    try:
        with pytest.raises(KeyboardInterrupt):
            count_prompt_tokens(server, Prompt(), None, insists=False)
    finally:
        os.kill(pid_of(server), signal.SIGCONT)
        server.stop()
    assert time.monotonic() - began_s < PATIENCE_S / 2


def test_a_start_that_is_cancelled_leaves_nothing(new_server: NewServer) -> None:
    server = new_server("freeze@load", is_cancelled=lambda: server.is_alive)

    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert not server.is_alive


@pytest.mark.parametrize("fault", ["deaf", "freeze@stop", "kill@stop", "segfault@stop"])
def test_a_server_that_does_not_stop_as_told_is_ended(new_server: NewServer, fault: str) -> None:
    server = new_server(fault)
    server.start()
    server.stop()

    assert not server.is_alive
    assert is_refused(server.base_url)


def test_a_request_under_way_does_not_hold_the_stop_back(new_server: NewServer) -> None:
    server = new_server("stall")
    server.start()
    lost: list[Exception] = []

    def ask() -> None:
        try:
            requests.post(
                f"{server.base_url}/v1/chat/completions",
                json={"messages": [{"role": "user", "content": "What is it?"}]},
                headers={"Authorization": f"Bearer {server.api_key}"},
                timeout=PATIENCE_S * 2,
            )
        except requests.ConnectionError as error:
            lost.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: b"processing task" in server.log_path.read_bytes())
    server.stop()
    thread.join(PATIENCE_S)

    assert lost
    assert not server.is_alive


@pytest.mark.parametrize("victim", ["wrapper", "leash"])
@pytest.mark.parametrize("way", WRAPPERS)
def test_what_a_wrapper_script_has_started_ends_whoever_is_killed(
    new_server: NewServer, mock_server: ServerProgram, tmp_path: Path, way: str, victim: str
) -> None:
    server = new_server(program=write_wrapper(tmp_path / "wrapper", way, mock_server.path))
    server.start()
    family = [leash_of(server), *server.pids]
    os.kill(family[0] if victim == "leash" else family[1], signal.SIGKILL)

    wait_until(lambda: not server.is_alive)
    server.stop()
    assert is_refused(server.base_url)
    assert not [pid for pid in family if is_running(pid)]


@pytest.mark.parametrize("way", WRAPPERS)
def test_what_a_wrapper_script_has_started_is_told_to_end(
    new_server: NewServer, mock_server: ServerProgram, tmp_path: Path, way: str
) -> None:
    """In order, and not by force: the mock says so last."""
    server = new_server(program=write_wrapper(tmp_path / "wrapper", way, mock_server.path))
    server.start()
    family = server.pids
    server.stop()

    assert b"cleaning up" in server.log_path.read_bytes()
    assert not [pid for pid in family if is_running(pid)]


def test_the_leash_keeps_the_gpus_lock_and_the_server_does_not(new_server: NewServer) -> None:
    """So that the lock of a CineCut that was killed is free when the server is gone."""

    def opened(pid: int) -> set[str]:
        return {str(path.readlink()) for path in Path("/proc", str(pid), "fd").iterdir()}

    server = new_server()
    with between_processes("0", "a task", lambda _: None, lambda: False):
        (lock,) = HELD
        name = str(Path(f"/proc/self/fd/{lock}").readlink())
        server.start()
        server_pid = pid_of(server)

        assert name in opened(leash_of(server))
        assert name not in opened(server_pid)
        server.stop()


def test_a_leash_that_stands_still_holds_no_stop_back(new_server: NewServer) -> None:
    server = new_server()
    server.start()
    family = server.pids
    os.kill(leash_of(server), signal.SIGSTOP)
    server.stop()

    assert not [pid for pid in family if is_running(pid)]


def test_nothing_waits_for_the_keeper_after_the_end(new_server: NewServer) -> None:
    before = threading.active_count()
    server = new_server()
    server.start()
    server.stop()

    assert threading.active_count() == before


def test_sigkill_of_the_server_is_noticed(new_server: NewServer) -> None:
    server = new_server()
    server.start()
    os.kill(pid_of(server), signal.SIGKILL)

    wait_until(lambda: not server.is_alive)
    assert not server.answers()


def test_the_last_signal_reaches_a_server_that_is_being_started(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that comes while the child is made finds no child; whoever makes it ends it."""
    server = new_server()
    honest = subprocess.Popen

    def slow(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
        server.stop()
        return honest(*arguments, **more)

    monkeypatch.setattr("cinecut.inference.server.child.subprocess.Popen", slow)
    with pytest.raises(InferenceError):
        server.start()
    assert not server.is_alive
