"""Looks for processes that a test has left, dead ones that nobody waited for included."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARKER = "CINECUT_TEST_RUN"
"""A variable that every process started by the tests inherits."""

LEAVE_WITHIN_S = 3.0
"""How long a process may take to end after its test: the promise of the watchdog, and some air."""


class _Starts:
    """Counts what this process starts, as Python's own audit tells."""

    EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"})

    def __init__(self) -> None:
        self.count = 0
        self._seen, self._known = 0, set[int]()
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _: object) -> None:
        self.count += event in self.EVENTS

    def known(self) -> set[int]:
        """Return the processes there are; without a start since the last look, what it found."""
        if self._seen != self.count:
            self._seen, self._known = self.count, set(_marked_processes())
        return self._known


_starts = _Starts()


@contextlib.contextmanager
def none_allowed() -> Iterator[None]:
    """Fail where a process that was started within the block is left after it.

    Most tests start none, and a look at every process takes longer than such a test.
    """
    before, started = _starts.known(), _starts.count
    yield
    if _starts.count != started:
        fail_if_any(except_for=before)


def fail_if_any(except_for: set[int]) -> None:
    """End what is left but for those processes, and fail where there was any."""
    left = _end_processes(_left(except_for))
    assert not left, f"processes are left: {left}"


def _left(except_for: set[int]) -> dict[int, str]:
    """Return what is left, by process id, once everything had its time to end."""
    deadline_s = time.monotonic() + LEAVE_WITHIN_S
    while True:
        found = _marked_processes()
        left = {pid: command for pid, command in found.items() if pid not in except_for}
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(0.02)


def _marked_processes() -> dict[int, str]:
    """Return the tests' own processes; without /proc nobody can tell, and there are none."""
    mark = f"{MARKER}={os.environ[MARKER]}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):  # it has just ended, or is none of ours
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            state, parent = rest.split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found[pid] = f"{name.partition('(')[2]} (ended, not waited for)"
            elif mark in (folder / "environ").read_bytes().split(b"\0") and pid != os.getpid():
                command = (folder / "cmdline").read_bytes()
                found[pid] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def _end_processes(left: dict[int, str]) -> dict[int, str]:
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue  # it ended by itself, or it is a grandchild and not ours to wait for
    return left
