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
_IDLE_TICKS: Final = 1  # of a hundredth of a second, between two looks
_SIGNAL_BASE: Final = 128  # a shell, and the leash, exit with this and the signal's number


class Pulse:
    """Tells for how long a server that loads has shown no sign of life.

    Signs are what its family does: its log, and on Linux its CPU time, its faults and its reads.
    A little CPU time is none: a server that waits for requests, its port untold, has timers too.
    """

    def __init__(self, leash: int, log_path: Path, *, every_s: float) -> None:
        """Take the process id of the leash and the log, to look at every so many seconds."""
        self._leash, self._log_path, self._every_s = leash, log_path, every_s
        self._seen, self._ticks = self._signs()
        self._changed_s = self._looked_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= self._every_s:
            self._looked_s, (signs, ticks) = now_s, self._signs()
            if signs != self._seen or ticks - self._ticks > _IDLE_TICKS:
                self._changed_s = now_s
            self._seen, self._ticks = signs, ticks
        return now_s - self._changed_s

    def _signs(self) -> tuple[list[object], int]:
        """Return what changes only where something is done, and the CPU time in ticks."""
        signs: list[object] = []
        ticks = 0
        with suppress(OSError):
            signs.append(self._log_path.stat().st_size)
        for pid in family_of(self._leash):
            stat = _stat(pid)
            signs.append((pid, stat[7:8], stat[9:10]))  # faults twice
            ticks += sum(map(int, stat[11:13]))
            with suppress(OSError):
                signs.append(Path("/proc", str(pid), "io").read_text("utf-8"))
        return signs, ticks


def how_it_ended(code: int) -> str:
    """Return what an exit code says, in words that follow `it`."""
    number = -code if code < 0 else code - _SIGNAL_BASE
    with suppress(ValueError):
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with exit code {code}" if code >= 0 else f"was ended by signal {number}"


def end_strays(session: int, mark: str, patience_s: float) -> None:
    """Kill what is left of a family whose leash has ended, which only a killed leash leaves.

    Args:
        session: The leash's session, and its process group.
        mark: A setting that stands in the environment of the family and nobody else's.
        patience_s: Seconds to wait for the last one to be gone.
    """
    if not hasattr(os, "killpg"):
        return
    deadline_s = time.monotonic() + patience_s
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    strays: set[int] = set()
    while True:
        found = _in_session_or_marked(str(session), mark.encode())
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        # One that is ending has no environment any more, and still its files and its GPU.
        strays = {pid for pid in strays | found if _has_not_ended(pid)}
        if not strays or time.monotonic() > deadline_s:
            return
        time.sleep(_LOOK_AGAIN_S)


def _in_session_or_marked(session: str, mark: bytes) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        with suppress(OSError):  # it has just ended, or is none of ours
            if _stat(pid)[3:4] == [session] or mark in (path / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _has_not_ended(pid: int) -> bool:
    """Whether there is more of a process than what waits for its parent."""
    state = _stat(pid)[:1]
    with suppress(OSError):
        return bool(state) and (state != ["Z"] or len([*Path(f"/proc/{pid}/task").iterdir()]) > 1)
    return False


def _stat(pid: int) -> list[str]:
    """Return what stands after the name in a process's stat, proc(5); nothing if it has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return []
