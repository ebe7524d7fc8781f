"""Nothing leaves this machine: what the kernel saw of a whole run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import command
import films
import hostile_environment
from server_process import ServerProgram
from tiny_llava import TinyModel
from tools import needed

PROXY = "http://192.0.2.1:3128"
"""An address that nobody has (RFC 5737)."""

_FAMILY = re.compile(r"connect\(.*sa_family=(\w+)")
_LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


def test_a_whole_run_connects_to_this_machine_alone(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    film = films.make_film(tmp_path / "film.mp4", [*films.still(0, 12), *films.still(1, 12)])
    trace = tmp_path / "trace"
    files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
    options = (*files, "--llama-server", mock_server.path, "--format", "all")

    strace = (needed("strace", "strace"), "-f", "-q", "-e", "trace=connect", "-o", trace)

    done = subprocess.run(
        [*strace, command.cinecut_path(), "describe", film, *options],
        env={**os.environ, **hostile_environment.variables(tmp_path, PROXY)},
        capture_output=True,
        text=True,
        timeout=command.PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    calls = [line for line in trace.read_text().splitlines() if "connect(" in line]
    inet = [line for line in calls if _FAMILY.findall(line) != ["AF_UNIX"]]
    assert inet, "llama-server was spoken to"
    assert [line for line in inet if not _LOOPBACK.search(line)] == []
