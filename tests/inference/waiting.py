"""Waits for what must come, and looks whether a process has gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from server_process import PATIENCE_S


def wait_until(is_so: Callable[[], object]) -> None:
    """Return as soon as `is_so` says yes; only a failing test waits long."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes() != b""
    except OSError:
        return False
