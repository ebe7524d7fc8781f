"""Runs the `cinecut` command as a user's shell would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

PATIENCE_S = 240.0
"""How long a command may take: only a failing test waits so long."""


def cinecut_path() -> str:
    """Return the console script of the environment that runs the tests."""
    found = shutil.which("cinecut", path=sysconfig.get_path("scripts"))
    assert found is not None, "the package is not installed: pip install -e ."
    return found


def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """Start the command with its streams in pipes."""
    return subprocess.Popen(
        [cinecut_path(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def run(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [cinecut_path(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def read_journal(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return line 1 of a journal and the others, as JSON alone sees them."""
    first, *others = map(json.loads, (folder / "scenes.jsonl").read_text().splitlines())
    assert first["type"] == "run"
    return first, others
