"""The command line: parse, call, print, exit code. The only room that knows typer and rich."""

from __future__ import annotations

import gc
import os
import sys

from cinecut.cli.streams import StdoutError, drop_stdout, prepare_streams
from cinecut.errors import CineCutError

_FAILED, _INTERRUPTED = 1, 130  # as in `boundary`, which takes a while to import


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it quietly too."""
    gc.disable()  # until `exit_codes`: what is imported is no garbage, and a third of the start
    try:
        prepare_streams()
        settle_home()
        from cinecut.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except StdoutError as error:
        drop_stdout()
        told = CineCutError(
            "Failed to write to stdout.",
            cause=error.strerror or str(error),
            check="Where the output goes, and that the disk there has room.",
            tip="The same command again; what is in the results folder is kept.",
        )
        sys.stderr.write(f"{told}\n")
        sys.exit(_FAILED)


def settle_home() -> None:
    """Give a user without HOME and without an entry in the user database the home `/`.

    So do container runtimes. Nothing is found there, and what must be written says that it cannot.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - Path.home() raises
        os.environ["HOME"] = os.sep
