"""A command on the leash ends when the process that started it ends, however that happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cinecut.inference.server import leash

PATIENCE_S = 30
GONE_WITHIN_S = 2.0
_AIR_S = 1.0  # for a machine that has other things to do

LEASHED = [sys.executable, "-I", "-S", leash.__file__]
SLEEP = [sys.executable, "-c", "import time; print('runs', flush=True); time.sleep(600)"]
# A parent as CineCut is one: the child is started by a thread that lives as long as it.
PARENT = """
import os, subprocess, sys, threading
def keep():
    with subprocess.Popen([*sys.argv[1:5], str(os.getpid()), *sys.argv[5:]],
                          stdin=subprocess.PIPE, start_new_session=True) as child:
        print(child.pid, flush=True)
        child.wait()
thread = threading.Thread(target=keep)
thread.start()
thread.join()
"""
# What runs where there is no parent-death signal.
WATCHDOG = (
    "import runpy, sys; leash = runpy.run_path(sys.argv[1]); "
    "sys.exit(leash['_run_until_end_of_input'](sys.argv[2:]))"
)


def is_running(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes() != b""
    except OSError:
        return False


def assert_gone(pid: int) -> None:
    deadline_s = time.monotonic() + GONE_WITHIN_S + _AIR_S
    while is_running(pid):
        assert time.monotonic() < deadline_s, f"process {pid} still runs"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_the_death_of_the_parent_ends_the_command(number: int) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *LEASHED, *SLEEP], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        lines = {parent.stdout.readline(), parent.stdout.readline()}
        (pid,) = (int(line) for line in lines - {"runs\n"})
        assert is_running(pid)
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
        assert_gone(pid)


def test_a_parent_that_is_gone_already_leaves_nothing_to_run() -> None:
    """The signal would never come: it died before the leash was armed."""
    ended = subprocess.run(
        [*LEASHED, str(os.getppid()), *SLEEP], capture_output=True, timeout=PATIENCE_S, check=False
    )

    assert (ended.returncode, ended.stdout) == (1, b"")


def test_a_program_that_cannot_be_run_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "not-a-program").touch()
    for name, said in (("none", "No such file"), ("not-a-program", "Permission denied")):
        ended = subprocess.run(
            [*LEASHED, str(os.getpid()), str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

        assert ended.returncode == 1
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr


def watchdog(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WATCHDOG, leash.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("way", ["end of input", "SIGTERM"])
def test_elsewhere_a_watchdog_ends_the_command(way: str) -> None:
    command = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with watchdog(sys.executable, "-c", command) as between:
        assert between.stdout
        assert between.stdin
        pid = int(between.stdout.readline())
        if way == "SIGTERM":
            between.terminate()
        else:
            between.stdin.close()
        assert between.wait(PATIENCE_S) != 0
        assert_gone(pid)


def test_elsewhere_the_exit_code_is_the_commands() -> None:
    with watchdog(sys.executable, "-c", "raise SystemExit(7)") as between:
        assert between.wait(PATIENCE_S) == 7
