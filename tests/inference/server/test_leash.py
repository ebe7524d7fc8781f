"""A command on the leash ends, with its family, when the process that started it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import is_running, wait_until
from wrappers import WRAPPERS, write_wrapper

from cinecut.inference.server import leash

PATIENCE_S = 30

LEASHED = [sys.executable, "-I", "-S", leash.__file__]
# Tells its process id, and knows why it ended.
SLEEP = """#!{python}
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
print(os.getpid(), flush=True)
time.sleep(600)
"""
# A parent as CineCut is one, but for that its thread is gone when the command runs.
PARENT = """
import subprocess, sys, threading, time
def start():
    global child
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(600)
"""


@pytest.fixture
def sleep(tmp_path: Path) -> Path:
    """A program that does nothing for long."""
    program = tmp_path / "sleep"
    program.write_text(SLEEP.format(python=sys.executable))
    program.chmod(0o755)
    return program


@contextmanager
def leashed(*command: str | Path, **more: object) -> Iterator[subprocess.Popen[str]]:
    """Yield a leash that holds the command."""
    with subprocess.Popen(
        [*LEASHED, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    ) as process:
        yield process


def read_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


@pytest.mark.parametrize(
    ("way", "number"),
    [*((way, signal.SIGKILL) for way in WRAPPERS), ("exec", signal.SIGTERM)],
)
def test_the_death_of_the_parent_ends_the_family(
    tmp_path: Path, sleep: Path, way: str, number: int
) -> None:
    wrapper = write_wrapper(tmp_path / "wrapper", way, sleep)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *LEASHED, wrapper], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = read_pid(parent)
        assert is_running(pid)
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
        wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize("way", WRAPPERS)
def test_sigterm_is_handed_on_to_the_family_and_waits_for_its_end(
    tmp_path: Path, sleep: Path, way: str
) -> None:
    with leashed(write_wrapper(tmp_path / "wrapper", way, sleep)) as process:
        pid = read_pid(process)
        process.terminate()

        assert process.wait(PATIENCE_S) != 0
        assert process.stderr
        assert "told to end" in process.stderr.read()
        assert not is_running(pid)


def test_the_command_dies_with_a_leash_that_is_killed(sleep: Path) -> None:
    with leashed(sleep) as process:
        pid = read_pid(process)
        process.kill()
        wait_until(lambda: not is_running(pid))


def test_a_family_that_forks_on_and_on_ends(tmp_path: Path) -> None:
    """Each generation leaves the group, and its parent is gone."""
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\n[ "$1" -gt 300 ] && exec sleep 600\nsetsid "$0" $(($1 + 1)) &\n')
    script.chmod(0o755)
    with leashed(script, "1") as process:
        assert process.stdin
        wait_until(lambda: len(leash.family_of(process.pid)) > 0)
        process.stdin.close()

        process.wait(PATIENCE_S)


def test_a_parent_that_is_gone_already_leaves_nothing_to_run(sleep: Path) -> None:
    ended = subprocess.run(
        [*LEASHED, sleep], stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False
    )

    assert ended.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("kill -SEGV $$", 128 + signal.SIGSEGV),
        ("sleep 600 & exit 7", 7),
        ("(sleep 0.1; exit 7) & exit 0", 7),
    ],
    ids=["exit", "signal", "others are left and end, too", "a daemon's"],
)
def test_the_exit_code_is_the_commands(script: str, code: int) -> None:
    with leashed("/bin/sh", "-c", script) as process:
        assert process.wait(PATIENCE_S) == code
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_the_command_gets_neither_the_pipe_nor_anything_else_that_is_open() -> None:
    """Or it would hold the pipe, and what the leash keeps for as long as it lives."""
    ours, theirs = os.pipe()
    code = "import os; print(*os.listdir('/proc/self/fd'), os.readlink('/proc/self/fd/0'))"
    try:
        with leashed(sys.executable, "-c", code, pass_fds=[theirs]) as process:
            assert process.stdout
            told = process.stdout.readline()
    finally:
        os.close(ours)
        os.close(theirs)

    assert told == f"0 1 2 3 {os.devnull}\n"  # 3 is the look itself


def test_a_program_that_cannot_be_run_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "not-a-program").touch()
    for name, said in (("none", "No such file"), ("not-a-program", "Permission denied")):
        with leashed(tmp_path / name) as process:
            assert process.wait(PATIENCE_S) == 1
            assert process.stderr
            error = process.stderr.read()
        assert said in error
        assert "Traceback" not in error


# What runs where the system has no orphans' guardian, and where it has no signals.
ELSEWHERE = (
    "import runpy, sys; leash = runpy.run_path(sys.argv[1]); "
    "leash['_Leash'].run.__globals__['_IS_LINUX'] = False; "
    "sys.exit(leash['_Leash']().run(sys.argv[2:]))"
)
WITHOUT_SIGNALS = (
    "import runpy, sys; leash = runpy.run_path(sys.argv[1]); sys.exit(leash['_hold'](sys.argv[2:]))"
)


@contextmanager
def elsewhere(code: str, *command: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", code, leash.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process


@pytest.mark.parametrize("way", ["exec", "no exec"])
@pytest.mark.parametrize("end", ["end of input", "SIGTERM"])
def test_elsewhere_the_family_is_the_process_group(
    tmp_path: Path, sleep: Path, way: str, end: str
) -> None:
    with elsewhere(ELSEWHERE, write_wrapper(tmp_path / "wrapper", way, sleep)) as process:
        pid = read_pid(process)
        if end == "SIGTERM":
            process.terminate()
        else:
            assert process.stdin
            process.stdin.close()
        assert process.wait(PATIENCE_S) != 0
        wait_until(lambda: not is_running(pid))


def test_without_signals_the_end_of_input_ends_the_command(sleep: Path) -> None:
    with elsewhere(WITHOUT_SIGNALS, sleep) as process:
        pid = read_pid(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(PATIENCE_S) != 0
        assert not is_running(pid)


@pytest.mark.parametrize("code", [ELSEWHERE, WITHOUT_SIGNALS], ids=["group", "no signals"])
def test_elsewhere_the_exit_code_is_the_commands(code: str) -> None:
    with elsewhere(code, sys.executable, "-c", "raise SystemExit(7)") as process:
        assert process.wait(PATIENCE_S) == 7
