"""One owner of the GPU at a time: a lock inside the process and one between processes."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from cinecut.errors import OutputError

GPU_LOCK: Final = threading.Lock()
"""Held while an engine's block runs: from before llama-server starts until it is gone."""

_LOOK_AGAIN_S: Final = 0.5


@dataclass(frozen=True)
class LockHolder:
    """Who has the GPU."""

    pid: int
    task: str
    """What the holder is doing, such as the name of its film."""


@contextmanager
def between_processes(
    gpu: str,
    task: str,
    on_wait: Callable[[LockHolder | None], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[None]:
    """Hold the lock of `gpu` between the CineCut processes of one user.

    The operating system frees the lock of a process that dies, so none is ever left behind.

    Args:
        gpu: Name of the GPU: one lock each.
        task: What to tell a process that has to wait.
        on_wait: Called once, with the holder where it is known, if there is one to wait for.
        is_cancelled: Asked while waiting; True ends the wait with KeyboardInterrupt.

    Raises:
        OutputError: The cache folder cannot be written.
    """
    try:
        folder = user_cache_path("cinecut", appauthor=False, ensure_exists=True) / "locks"
        folder.mkdir(exist_ok=True)
        path = folder / f"gpu-{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.lock"
        # Not thread-local: a signal handler or another thread may have to release it.
        lock = FileLock(path, thread_local=False)
        _acquire(lock, path, on_wait, is_cancelled)
    except OSError as error:
        raise OutputError(
            Path("cinecut/locks"),
            f"The GPU's lock file cannot be made: {error.strerror or error}",
            check="That the cache folder can be written (XDG_CACHE_HOME, HOME).",
            tip="Set XDG_CACHE_HOME to a folder that you may write to.",
        ) from error
    try:
        _holder_file(path).write_text(json.dumps(asdict(LockHolder(os.getpid(), task))), "utf-8")
        yield
    finally:
        with suppress(OSError):
            _holder_file(path).unlink(missing_ok=True)
        lock.release()


def _acquire(
    lock: FileLock,
    path: Path,
    on_wait: Callable[[LockHolder | None], None],
    is_cancelled: Callable[[], bool],
) -> None:
    told = False
    while True:
        try:
            lock.acquire(timeout=_LOOK_AGAIN_S if told else 0)
        except Timeout:
            if is_cancelled():
                raise KeyboardInterrupt from None
            if not told:
                on_wait(_read_holder(path))
                told = True
        else:
            return


def _holder_file(path: Path) -> Path:
    # Beside the lock and not in it: Windows forbids reading a file that another has locked.
    return path.with_suffix(".json")


def _read_holder(path: Path) -> LockHolder | None:
    try:
        return LockHolder(**json.loads(_holder_file(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # not written yet, or torn
        return None
