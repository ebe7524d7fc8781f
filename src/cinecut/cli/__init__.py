"""The command line: parse, call, print, exit code. The only room that knows typer and rich."""

from __future__ import annotations

import sys

_INTERRUPTED = 130  # as in `boundary`, which takes a while to import


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it quietly too."""
    try:
        from cinecut.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
