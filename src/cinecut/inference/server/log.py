"""The log of a llama-server: its place, its end, and the bound on its size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cinecut.errors import OutputError

_LENT: Final = "cinecut-log-"
_LARGEST_BYTES: Final = 64 << 20
_KEPT_BYTES: Final = 1 << 20
_TAIL_BYTES: Final = 64 << 10
_SHOWN_LINES: Final = 8
_SHOWN_CHARS: Final = 300


@contextmanager
def empty_log(path: Path | None) -> Iterator[Path]:
    """Yield the path of an empty log, its folder made; None lends one that goes with the block.

    Raises:
        OutputError: It has no place there.
    """
    if path is None:
        with tempfile.TemporaryDirectory(prefix=_LENT) as folder:
            yield Path(folder) / "llama-server.log"
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(path.parent, error.strerror or str(error)) from error
    yield path


def where_it_is(path: Path) -> str:
    """Say what to look at for more than the end of a log; one that was lent is gone by then."""
    if path.parent.name.startswith(_LENT):
        return "Whether llama-server and the model are whole: cinecut doctor"
    return f"The whole log: {path.name} in the results folder"


def cut_log(path: Path) -> None:
    """Leave only the last MiB of a log that has grown beyond 64; its writer may write on.

    Raises:
        OSError: There is none, or it cannot be written.
    """
    if path.stat().st_size <= _LARGEST_BYTES:
        return
    with path.open("a+b") as log:  # appending, like its writer: neither overwrites the other
        log.seek(-_KEPT_BYTES, os.SEEK_END)
        end = log.read(_KEPT_BYTES)
        log.truncate(0)
        log.write(end)


def read_tail(path: Path, begin: int = 0) -> str:
    """Return the end of a log from byte `begin` on, 64 KiB at the most; empty without one."""
    try:
        with path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(begin if begin <= end else 0, end - _TAIL_BYTES))
            return log.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def last_lines(tail: str) -> str:
    """Return the last lines that say something, shortened for an error message."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return "\n".join(line[:_SHOWN_CHARS] for line in lines[-_SHOWN_LINES:])
