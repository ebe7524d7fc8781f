"""Runs `cinecut describe --cluster` and looks at the processes below it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import command

LONG_ENOUGH_S = command.PATIENCE_S
"""A worker starts Ray, a probe and a server: a minute where other tests take the processors."""
_LOOK_S = 0.02
_LISTENING = "0A"
"""A state in /proc/net/tcp."""


def write_meeting_servers(folder: Path, program: str, count: int) -> Path:
    """Write a llama-server that starts when `count` of them were asked to, and return it.

    So many workers have a film each then, however long one of them took to come.
    """
    path, meeting = folder / "meeting-server", folder / "meeting"
    meeting.mkdir()
    path.write_text(
        f"""#!/bin/sh
case "$#" in 1) exec "{program}" "$@";; esac  # --help and so on
: > "{meeting}/$$"
while [ "$(ls "{meeting}" | wc -l)" -lt {count} ]; do
    echo "waiting for the others" >&2
    sleep 0.1
done
exec "{program}" "$@"
"""
    )
    path.chmod(0o755)
    return path


class ClusterRun:
    """One `cinecut describe --cluster` under way, its talk in a file."""

    def __init__(
        self, folder: Path, *arguments: str | Path, address: str = "local", **environment: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._error_path = folder / "stderr"
        with (folder / "stdout").open("wb") as output, self._error_path.open("wb") as error:
            self.process = subprocess.Popen(
                [command.cinecut_path(), "describe", *arguments, "--cluster", address, "--verbose"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
                env={**os.environ, **environment},
            )
        self._output_path = folder / "stdout"

    @property
    def stderr(self) -> str:
        return self._error_path.read_text()

    @property
    def scenes(self) -> list[dict[str, Any]]:
        """The whole lines on stdout."""
        text = self._output_path.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    @property
    def told(self) -> list[tuple[str, float]]:
        """Film and second of each scene on stdout."""
        return [(scene["film"], scene["keyframe"]["timestamp_s"]) for scene in self.scenes]

    def wait_for_scenes(self, count: int) -> None:
        deadline = time.monotonic() + LONG_ENOUGH_S
        while len(self.scenes) < count:
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(_LOOK_S)

    def workers(self) -> list[int]:
        """The processes of the workers that have told that they are ready."""
        return [int(pid) for pid in re.findall(r":(\d+) is ready\.", self.stderr)]

    def lost_workers(self) -> set[int]:
        """The processes of the workers of which it was told that they are lost."""
        return {int(pid) for pid in re.findall(r":(\d+) was lost: \S", self.stderr)}

    def wait(self) -> int:
        return self.process.wait(LONG_ENOUGH_S)


def read_scenes(results: Path, film: Path) -> list[dict[str, Any]]:
    """Return the scenes of a complete journal, without what differs from run to run."""
    run, scenes = command.read_journal(results / f"{film.name}.cinecut")
    assert run["finished"] is not None
    for scene in scenes:
        del scene["elapsed_s"]
        scene["keyframe"]["frame_path"] = Path(scene["keyframe"]["frame_path"]).name
    return scenes


def processes_below(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def kill_all(processes: set[int]) -> None:
    """End `processes` as a machine's end does: none of them can do anything about another's."""
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def listening_addresses(processes: set[int]) -> set[IPv4Address | IPv6Address]:
    """Return the addresses on which `processes` accept TCP connections."""
    sockets = set()
    for pid in processes:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            sockets |= {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, state, inode = fields[1].partition(":")[0], fields[3], fields[9]
            if state == _LISTENING and f"socket:[{inode}]" in sockets:
                # Each group of four bytes stands in the machine's own order.
                words = [
                    bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)
                ]
                found_address = ip_address(b"".join(words))
                found.add(getattr(found_address, "ipv4_mapped", None) or found_address)
    return found
