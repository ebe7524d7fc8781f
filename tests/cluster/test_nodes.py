"""Films on two machines of a Ray cluster, as `ray start` makes them, one of which dies.

Each is an address of its own within 127.0.0.0/8 with processes of its own. Linux answers at all of
them; what no test of one machine shows is a network that fails.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import films
import pytest
from cluster_run import (
    LONG_ENOUGH_S,
    ClusterRun,
    kill_all,
    listening_addresses,
    name_of,
    processes_below,
    read_scenes,
    write_meeting_servers,
)

HEAD, OTHER = "127.0.0.2", "127.0.0.3"
FILMS, SHOTS = 6, 5
FRAME_S = "0.15"
_LOOK_S = 0.05


@pytest.fixture
def library(tmp_path: Path) -> list[Path]:
    return [
        films.make_film(
            tmp_path / f"film{number}.mp4",
            [thumb for shot in range(SHOTS) for thumb in films.still(number * SHOTS + shot, 12)],
        )
        for number in range(FILMS)
    ]


@contextmanager
def machine(address: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Be a machine of a cluster, with one CPU; leaving the block ends it as a loss of power does.

    Args:
        address: Where the others reach it.
        arguments: More for `ray start`.
    """
    ray = shutil.which("ray", path=sysconfig.get_path("scripts"))
    assert ray is not None, "the cluster extra is not installed"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                *(ray, "start", "--block", *arguments, f"--node-ip-address={address}"),
                *("--num-cpus=1", f"--object-store-memory={80 * 2**20}"),
                *("--min-worker-port=0", "--max-worker-port=0"),  # any: they share a machine
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + LONG_ENOUGH_S
            while b"Ray runtime started" not in (talk := os.pread(log.fileno(), 2**16, 0)):
                assert process.poll() is None, talk.decode()
                assert time.monotonic() < deadline, talk.decode()
                time.sleep(_LOOK_S)
            yield process
        finally:
            kill_all(processes_below(process.pid))
            process.wait()


def test_a_machine_that_dies_costs_nothing(
    library: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
    cluster_runs: list[ClusterRun],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other machine goes on with its film, and with those that nobody had.

    The model's servers keep to loopback, and Ray lets nobody in without the token.
    """
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("CINECUT_MOCK_FRAME_S", FRAME_S)  # a worker has its machine's environment
    with socket.socket() as free:
        free.bind((HEAD, 0))
        head = f"{HEAD}:{free.getsockname()[1]}"
    program = write_meeting_servers(tmp_path, environment["CINECUT_LLAMA_SERVER"], 2)
    settings = environment | {"CINECUT_LLAMA_SERVER": str(program)}
    with (
        tempfile.TemporaryDirectory(prefix="cinecut-", dir="/tmp") as logs,  # a short path
        machine(HEAD, "--head", f"--port={head.partition(':')[2]}", f"--temp-dir={logs}") as first,
        machine(OTHER, f"--address={head}") as second,
    ):
        run = ClusterRun(
            *(tmp_path / "run", *library, "--output-dir", tmp_path, "--worker-cpus", "1", "--json"),
            address=head,
            **settings,
        )
        cluster_runs.append(run)
        run.wait_for_scenes(FILMS)
        there, elsewhere = (processes_below(each.pid) for each in (first, second))
        servers = {pid for pid in there | elsewhere if "mock-se" in name_of(pid)}
        assert len(servers & there) == len(servers & elsewhere) == 1
        assert all(address.is_loopback for address in listening_addresses(servers))
        kill_all(elsewhere)
        assert run.wait() == 0, run.stderr

    lost, survivor = (set(run.workers()) & machines for machines in (elsewhere, there))
    assert len(lost) == len(survivor) == 1, run.stderr
    assert run.lost_workers() == lost, run.stderr
    for film in library:
        times = {scene["keyframe"]["timestamp_s"] for scene in read_scenes(tmp_path, film)}
        assert len(times) == len(read_scenes(tmp_path, film)) == SHOTS
    assert len(set(run.told)) == len(run.told) == FILMS * SHOTS, "a scene was described twice"
