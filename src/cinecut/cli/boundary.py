"""Where errors and signals end: known errors become a message and an exit code."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import typer

from cinecut.cli.streams import StdoutError, drop_stdout
from cinecut.errors import CineCutError, MachineError, UsageError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
PARTLY_DONE: Final = 3
INTERRUPTED: Final = 130


@contextmanager
def exit_codes(*, goes_on: bool = True) -> Iterator[None]:
    """Turn what a command raises into its message on stderr and its exit code.

    A known error prints its message and no traceback; a bug prints its traceback. To be entered
    when all is imported: from then on garbage is collected, and modules are no part of it.

    Args:
        goes_on: Whether the same command goes on where it was interrupted.
    """
    gc.freeze()
    gc.enable()
    try:
        yield
        sys.stdout.flush()
    except CineCutError as error:
        print_error(error)
        raise typer.Exit(USAGE if isinstance(error, UsageError) else FAILED) from error
    except KeyboardInterrupt as error:
        with suppress(OSError):
            hint = " The same command again goes on from here." if goes_on else ""
            typer.echo(f"Interrupted.{hint}", err=True)
        try:
            sys.stdout.flush()
        except OSError:  # the terminal is gone
            drop_stdout()
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError as error:  # whoever read our output has had enough
        drop_stdout()
        raise typer.Exit(FAILED) from error
    except (OSError, MemoryError, RuntimeError) as error:
        told = MachineError.of(error)
        if told is None or isinstance(error, StdoutError):  # that one is told by `main`
            raise
        print_error(told)
        raise typer.Exit(FAILED) from error


def print_error(error: CineCutError) -> None:
    """Print a known error on stderr; its message has no markup and no control characters."""
    with suppress(OSError):
        typer.echo(str(error), err=True)


@contextmanager
def interruptible(*, at_once: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a question: has the user, or the system, asked this process to stop?

    The first Ctrl-C, SIGTERM or SIGHUP is taken note of and everything ends in order; a second
    Ctrl-C raises KeyboardInterrupt where it finds the main thread. For work that waits where it
    cannot ask, `at_once` lets the first one raise too; it may still be lost in code that swallows
    every exception, so ask as well.
    """
    asked = threading.Event()

    def take_note(number: int, _frame: FrameType | None) -> None:
        is_second = asked.is_set() and number == signal.SIGINT
        asked.set()
        if at_once or is_second:
            raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, take_note) for number in numbers}
    try:
        yield asked.is_set
    except OSError as error:
        if asked.is_set():  # the terminal was closed: nothing can be written to it any more
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            # Python is ending: one Ctrl-C more must not take the exit code away.
            is_late = asked.is_set() and number == signal.SIGINT
            signal.signal(number, signal.SIG_IGN if is_late else handler)
