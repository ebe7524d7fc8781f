"""The processes of one server: do they live, how did it end, and is nobody left of them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from cinecut.inference.server.leash import family_of

_LOOK_AGAIN_S: Final = 0.02
_SIGNAL_BASE: Final = 128  # a shell, and the leash, exit with this and the signal's number


class Pulse:
    """Tells for how long a server that loads has shown no sign of life.

    Signs are what its family does: its log, and on Linux its CPU time, its faults and its reads.
    """

    def __init__(self, leash: int, log_path: Path, *, every_s: float) -> None:
        """Take the process id of the leash and the log, to look at every so many seconds."""
        self._leash, self._log_path, self._every_s = leash, log_path, every_s
        self._seen = self._signs()
        self._changed_s = self._looked_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= self._every_s:
            self._looked_s, signs = now_s, self._signs()
            if signs != self._seen:
                self._seen, self._changed_s = signs, now_s
        return now_s - self._changed_s

    def _signs(self) -> list[object]:
        signs: list[object] = []
        with suppress(OSError):
            signs.append(self._log_path.stat().st_size)
        for pid in family_of(self._leash):
            proc = Path("/proc", str(pid))
            with suppress(OSError, IndexError):
                # After the name in parentheses: 7 minor and 9 major faults, 11 and 12 CPU ticks.
                fields = (proc / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                signs.append((pid, fields[7], fields[9], fields[11], fields[12]))
            with suppress(OSError):
                signs.append((proc / "io").read_text("utf-8"))
        return signs


def how_it_ended(code: int) -> str:
    """Return what an exit code says, in words that follow `it`."""
    number = -code if code < 0 else code - _SIGNAL_BASE
    with suppress(ValueError):
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with exit code {code}" if code >= 0 else f"was ended by signal {number}"


def end_strays(group: int, mark: str, patience_s: float) -> None:
    """Kill what is left of a family whose leash has ended, which only a killed leash leaves.

    Args:
        group: The process group of the leash.
        mark: A setting that stands in the environment of the family and nobody else's.
        patience_s: Seconds to wait for the last one to be gone.
    """
    if not hasattr(os, "killpg"):
        return
    deadline_s = time.monotonic() + patience_s
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while (strays := _marked(mark.encode())) and time.monotonic() < deadline_s:
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S)


def _marked(mark: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has just ended, or is none of ours
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found
