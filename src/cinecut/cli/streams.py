"""The three standard streams, as whoever started the command has left them: whole, closed, full."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class StdoutError(OSError):
    """What leads out of stdout takes no more data."""


def prepare_streams() -> None:
    """Make stdin, stdout and stderr such that the command need not care where they lead.

    A closed one leads nowhere; without that the next file to be opened would get its number, and
    what libraries print. Data that cannot be written raises StdoutError; such talk is lost.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    if os.name == "posix":  # elsewhere a console takes text, and no bytes
        sys.stdout = _text_to(_Data(1, "w", closefd=False), like=sys.stdout)
        sys.stderr = _text_to(_Talk(2, "w", closefd=False), like=sys.stderr)


def drop_stdout() -> None:
    """Let nobody see what is still buffered: it must not raise again when Python flushes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Data(io.FileIO):
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:  # a reader that has had enough is no error
            raise
        except OSError as error:
            raise StdoutError(error.errno, error.strerror) from error


class _Talk(io.FileIO):
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _text_to(raw: io.RawIOBase, *, like: TextIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=bool(like.line_buffering),
    )
