"""One owner of the GPU at a time: a lock inside the process and one between processes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from cinecut.errors import InferenceError, MachineError, OutputError

GPU_LOCK: Final = threading.Lock()
"""Held while an engine's block runs: from before llama-server starts until it is gone."""

HELD: Final[set[int]] = set()
"""Descriptors that hold a lock, also in a process that inherits them and outlives this one."""

_IS_LINUX = sys.platform == "linux"
_LOOK_AGAIN_S: Final = 0.1
_BACKLOG: Final = 4096  # everybody who has asked who we are stays in the queue
_SCOPE_VARIABLE: Final = "CINECUT_GPU_LOCK"


@dataclass(frozen=True)
class LockHolder:
    """Who has the GPU."""

    pid: int
    """Process id; 0 for a process of a container that cannot be seen from here."""
    task: str = ""
    """What the holder is doing, such as the name of its film; not told to other users."""
    user: str = ""
    """Who runs it; empty for this user."""


def in_words(holder: LockHolder | None) -> str:
    """Return who has the GPU, such as `process 7 (describing film.mkv)`."""
    if holder is None:
        return "another process"
    process = f"process {holder.pid}" if holder.pid else "a process"
    whose = f" of {holder.user}" if holder.user else ""
    return f"{process}{whose} ({holder.task})" if holder.task else f"{process}{whose}"


@contextmanager
def between_processes(
    gpu: str,
    task: str,
    on_wait: Callable[[LockHolder | None], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[None]:
    """Hold the lock of `gpu` between the CineCut processes of all users; of one but on Linux.

    The operating system frees the lock of a process that dies, so none is ever left behind.

    Args:
        gpu: Name of the GPU: one lock each.
        task: What to tell a process that has to wait.
        on_wait: Called once, with the holder where it is known, if there is one to wait for.
        is_cancelled: Asked while waiting; True ends the wait with KeyboardInterrupt.

    Raises:
        MachineError: This process may open no more files.
        InferenceError: The lock cannot be taken, for another reason than a holder.
        OutputError: The cache folder cannot be written, which on Linux is not needed.
    """
    name = re.sub(r"[^A-Za-z0-9-]", "_", gpu)
    note = user_cache_path("cinecut", appauthor=False) / "locks" / f"gpu-{name}.json"
    lock = _Name(gpu, note) if _IS_LINUX else _File(note)
    told = False
    while not lock.take():
        if is_cancelled():
            raise KeyboardInterrupt
        if not told:
            on_wait(lock.holder())
            told = True
        time.sleep(_LOOK_AGAIN_S)
    try:
        with suppress(OSError):  # it is only what others are told
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps({"pid": os.getpid(), "task": task}), "utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


class _Name:
    """A name among the kernel's abstract sockets: one for all users, and nothing on a disk.

    So there is nothing that a stranger could have put in its place, no right to it that could be
    missing and no disk that could be full; and the kernel itself tells who has it.
    """

    def __init__(self, gpu: str, note: Path) -> None:
        scope = os.environ.get(_SCOPE_VARIABLE, "")
        digest = hashlib.sha256(os.fsencode(f"{scope}\0{gpu}")).hexdigest()
        self._address, self._note = f"\0cinecut-gpu-{digest[:32]}", note
        self._socket: socket.socket | None = None

    def take(self) -> bool:
        try:
            taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                taken.bind(self._address)
                taken.listen(_BACKLOG)
            except BaseException:
                taken.close()
                raise
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            told = f"The GPU's lock cannot be taken: {error.strerror or error}"
            raise MachineError.of(error) or InferenceError(told) from error
        self._socket = taken
        HELD.add(taken.fileno())
        return True

    def holder(self) -> LockHolder | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            try:
                client.connect(self._address)
                told = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            except OSError:  # it is just being made, or freed
                return None
        pid, uid, _ = struct.unpack("iII", told)
        if uid != os.getuid():
            return LockHolder(pid, user=_name_of(uid))
        note = _read_note(self._note)
        return LockHolder(pid, str(note["task"]) if note.get("pid") == pid else "")

    def release(self) -> None:
        if self._socket is not None:
            HELD.discard(self._socket.fileno())
            self._socket.close()


class _File:
    """A locked file in this user's cache."""

    def __init__(self, note: Path) -> None:
        self._note = note
        # Not thread-local: a signal handler or another thread may have to release it.
        self._lock = FileLock(note.with_suffix(".lock"), thread_local=False)

    def take(self) -> bool:
        try:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise OutputError(
                Path("cinecut/locks"),
                f"The GPU's lock file cannot be made: {error.strerror or error}",
                check="That the cache folder can be written (XDG_CACHE_HOME, HOME).",
                tip="Set XDG_CACHE_HOME to a folder that you may write to.",
            ) from error
        return True

    def holder(self) -> LockHolder | None:
        # Beside the lock and not in it: Windows forbids reading a file that another has locked.
        note = _read_note(self._note)
        return LockHolder(int(note["pid"]), str(note["task"])) if note else None

    def release(self) -> None:
        self._lock.release()


def _read_note(path: Path) -> dict[str, Any]:
    """Return what a holder has noted; nothing where that is not written yet, or torn."""
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) and {"pid", "task"} <= note.keys() else {}


def _name_of(uid: int) -> str:
    import pwd  # not on Windows

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
