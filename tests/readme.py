"""Puts the real --help texts into README.md; run as a program it writes them."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"<!-- help: (?P<command>.+?) -->\n.*?<!-- end -->", re.DOTALL)


def with_real_help(text: str) -> str:
    """Return `text` with every block between `help` and `end` marks as the command prints it."""
    return _BLOCK.sub(lambda block: _block(block["command"]), text)


def _block(command: str) -> str:
    return f"<!-- help: {command} -->\n```\n{_help_of(command)}\n```\n<!-- end -->"


def _help_of(command: str) -> str:
    program, *subcommands = command.split()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CINECUT_")
    }
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), program), *subcommands, "--help"],
        env={**environment, "COLUMNS": "96", "TERMINAL_WIDTH": "96", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


if __name__ == "__main__":
    README.write_text(with_real_help(README.read_text()))
