"""Reads many journals at once, in processes of their own."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import starmap
from multiprocessing import get_context, parent_process
from typing import Final

from cinecut.search.entry import FilmEntry, film_entry
from cinecut.search.places import Found

_STOPS: Final = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_WORTH_BYTES: Final = 8 << 20
"""Of journals: below it they are read before the processes have begun."""
MOST_PROCESSES: Final = 4
"""As many keep the one that writes the index busy; each takes some 150 MiB."""


def entries_of(journals: Sequence[tuple[Found, bytes]], processes: int) -> Iterator[FilmEntry]:
    """Yield what is kept of each journal and its digest, in order; nothing of unreadable ones."""
    done = 0
    if min(processes, len(journals)) > 1 and sum(f.size for f, _ in journals) >= _WORTH_BYTES:
        try:
            for entry in _read_at_once(journals, processes):
                done += 1
                if entry is not None:
                    yield entry
        except (BrokenExecutor, OSError, ImportError, NotImplementedError):
            pass  # no memory for so many, or a system without the means: one process is enough
    yield from filter(None, starmap(film_entry, journals[done:]))


def _read_at_once(
    journals: Sequence[tuple[Found, bytes]], processes: int
) -> Iterator[FilmEntry | None]:
    # Spawned: a fork would share the index's connection, and a caller's threads' locks.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent)
    pending: deque[Future[FilmEntry | None]] = deque()
    try:
        for journal in journals:
            with _interrupted_afterwards():  # a process whose start is broken off complains
                pending.append(pool.submit(film_entry, *journal))
            if len(pending) > 2 * processes:  # what is read waits in memory
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Hold Ctrl-C and its like back to the end of the block; a thread does not get them anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    numbers = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    usual = {n: signal.signal(n, lambda number, _: held.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for number in held:
            signal.raise_signal(number)


def _end_with_parent() -> None:
    """Have this process end when the one that began it does, however; Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
