"""Writes scripts that stand in for a llama-server and start one in the ways that people do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

WRAPPERS: Final = {
    "exec": 'exec "{program}" "$@"',
    "no exec": '"{program}" "$@"\nexit $?',
    # A daemon: its parent has ended, its session is its own. --help and so on are answered.
    "daemon": 'case "$#" in 1) exec "{program}" "$@";; esac\n{setsid} "{program}" "$@" &\nexit 0',
}


def write_wrapper(path: Path, way: str, program: Path | str) -> Path:
    """Write the script of one of the `WRAPPERS` around `program`, and return it."""
    script = WRAPPERS[way].format(program=program, setsid=shutil.which("setsid"))
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
