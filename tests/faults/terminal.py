"""A terminal for a process under test: what it shows goes into a file, keys go in, it closes."""

from __future__ import annotations

import os
import pty
import select
import sys
import threading
from pathlib import Path

_LOOK_S = 0.02
# subprocess makes a session; a session gets its terminal by a call of the process itself.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A pseudo-terminal. Closing it is what a window manager does to a window."""

    def __init__(self, shown: Path) -> None:
        self._ours, self.theirs = pty.openpty()
        self._shown = shown.open("wb")
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def command(self, command: list[str]) -> list[str]:
        """Return `command` such that the terminal becomes that of its session."""
        return [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *command]

    def started(self) -> None:
        """Leave the other end to the process alone, and begin to read."""
        os.close(self.theirs)
        self._reader.start()

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        if not self._closing.is_set():
            self._closing.set()
            self._reader.join()
            os.close(self._ours)
            self._shown.close()

    def _read(self) -> None:
        # Not in a read that blocks: a terminal hangs up when nobody has it open any more.
        while not self._closing.is_set():
            if select.select([self._ours], [], [], _LOOK_S)[0]:
                try:
                    self._shown.write(os.read(self._ours, 1 << 16))
                    self._shown.flush()
                except OSError:  # the other end was closed first
                    return
