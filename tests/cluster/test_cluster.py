"""Films on a real Ray cluster of this machine, with workers that die."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import command
import films
import pytest
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.cluster.places import Needs, count_places, needs_of_a_worker
from cinecut.errors import ClusterError
from cinecut.inference.gpu.preflight import Device
from cinecut.results.scenes import read_results
from cinecut.results.summary import summary_of
from cinecut.run.settings import RunSettings

GOOD_FILMS = 10
SHOTS = 4
FRAME_S = "0.15"
LONG_ENOUGH_S = 240.0
"""A worker starts Ray, a probe and a server: a minute where other tests take the processors."""
WORKER_GONE_WITHIN_S = 30.0
SERVER_GONE_WITHIN_S = 3.0
"""How long a llama-server may outlive the driver: the promise of 2 s, and some air."""
_LOOK_S = 0.02
_LISTENING = "0A"
"""A state in /proc/net/tcp."""


@pytest.fixture
def environment(mock_server: ServerProgram, tiny_model: TinyModel) -> dict[str, str]:
    """The mock server and a model, for commands with and without a cluster alike."""
    return {
        "CINECUT_LLAMA_SERVER": str(mock_server.path),
        "CINECUT_MODEL": str(tiny_model.model),
        "CINECUT_MMPROJ": str(tiny_model.mmproj),
        "CINECUT_DEVICE": "cpu",
        "CINECUT_PARALLEL": "1",
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten good films, a damaged one, and one that is not there."""
    folder = tmp_path_factory.mktemp("library")
    made = []
    for number in range(GOOD_FILMS):
        shots = range(number * SHOTS, (number + 1) * SHOTS + number % 3)
        thumbs = [thumb for seed in shots for thumb in films.still(seed, 12)]
        made.append(films.make_film(folder / f"film{number}.mp4", thumbs))
    damaged = folder / "damaged.mp4"
    damaged.write_bytes(made[0].read_bytes()[:700])
    return [*made, damaged, folder / "missing.mp4"]


class ClusterRun:
    """One `cinecut describe --cluster local` under way, its talk in a file."""

    def __init__(self, folder: Path, *arguments: str | Path, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self._error_path = folder / "stderr"
        with (folder / "stdout").open("wb") as output, self._error_path.open("wb") as error:
            self.process = subprocess.Popen(
                [command.cinecut_path(), "describe", *arguments, "--cluster", "local", "--verbose"],
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

    def wait_for_scenes(self, count: int) -> None:
        deadline = time.monotonic() + LONG_ENOUGH_S
        while len(self.scenes) < count:
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(_LOOK_S)

    def workers(self) -> list[int]:
        """The processes of the workers that have told that they are ready."""
        return [int(pid) for pid in re.findall(r":(\d+) is ready\.", self.stderr)]

    def wait(self) -> int:
        return self.process.wait(LONG_ENOUGH_S)


@pytest.fixture
def cluster_runs() -> Iterator[list[ClusterRun]]:
    """What is in this list is ended after the test, whatever happened."""
    runs: list[ClusterRun] = []
    yield runs
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def read_scenes(results: Path, film: Path) -> list[dict[str, Any]]:
    """Return the scenes of a complete journal, without what differs from run to run."""
    run, scenes = command.read_journal(results / f"{film.name}.cinecut")
    assert run["finished"] is not None
    for scene in scenes:
        del scene["elapsed_s"]
        scene["keyframe"]["frame_path"] = Path(scene["keyframe"]["frame_path"]).name
    return scenes


def test_a_killed_worker_costs_nothing(
    library: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
    cluster_runs: list[ClusterRun],
) -> None:
    """Two workers, one of them killed in the middle, a damaged film and a missing one.

    Nothing listens beyond loopback meanwhile.
    """
    good = library[:GOOD_FILMS]
    alone = command.run("describe", *good, "--output-dir", tmp_path / "alone", "-q", **environment)
    assert alone.returncode == 0, alone.stderr

    run = ClusterRun(
        *(tmp_path / "run", *library, "--output-dir", tmp_path / "together"),
        *("--worker-cpus", "1", "--json", "--fresh"),
        **environment,
        CINECUT_MOCK_FRAME_S=FRAME_S,
    )
    cluster_runs.append(run)
    run.wait_for_scenes(len(good))
    listening = listening_addresses(processes_below(run.process.pid))
    assert listening, "nobody listens at all: this test looks at the wrong processes"
    assert all(address.is_loopback for address in listening), listening
    before = run.workers()
    assert len(before) >= min(2, os.cpu_count() or 1)
    os.kill(before[0], signal.SIGKILL)

    assert run.wait() == 3, run.stderr
    assert "was lost" in run.stderr
    assert set(run.workers()) > set(before), "nobody took the place of the killed worker"
    for film in good:
        there = read_scenes(tmp_path / "together", film)
        assert there == read_scenes(tmp_path / "alone", film)
        assert len({scene["keyframe"]["timestamp_s"] for scene in there}) == len(there) >= SHOTS
    told = [(scene["film"], scene["keyframe"]["timestamp_s"]) for scene in run.scenes]
    assert len(set(told)) == len(told), "a scene was described twice"
    machine = re.escape(os.uname().nodename)
    assert re.search(
        rf"Failed to read film 'damaged\.mp4'\.\n  Cause: On {machine}:\d+:", run.stderr
    )
    assert re.search(
        rf"Failed to read film 'missing\.mp4'\.\n  Cause: On {machine}:\d+:", run.stderr
    )


def test_the_longest_films_are_handed_out_first(
    environment: dict[str, str], tmp_path: Path
) -> None:
    lengths = {"short.mp4": 1, "long.mp4": 8, "middle.mp4": 4}
    for name, shots in lengths.items():
        thumbs = [thumb for seed in range(shots) for thumb in films.still(seed, 12)]
        films.make_film(tmp_path / name, thumbs)

    done = command.run(
        *(
            "describe",
            *lengths,
            "--cluster",
            "local",
            "--worker-cpus",
            str(os.cpu_count()),
            "--json",
        ),
        **environment,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    order = dict.fromkeys(json.loads(line)["film"] for line in done.stdout.splitlines())
    assert list(order) == ["long.mp4", "middle.mp4", "short.mp4"]
    assert (tmp_path / "long.mp4.cinecut" / "scenes.jsonl").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_driver_ends_all(
    number: int,
    library: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
    cluster_runs: list[ClusterRun],
) -> None:
    """That no process at all is left is looked at after every test."""
    results = tmp_path / "results"
    arguments = (*library[:4], "--output-dir", results, "--json")
    slow = environment | {"CINECUT_MOCK_FRAME_S": FRAME_S, "CINECUT_WORKER_CPUS": "1"}
    run = ClusterRun(tmp_path / "run", *arguments, **slow)
    cluster_runs.append(run)
    run.wait_for_scenes(3)
    everybody = processes_below(run.process.pid)
    servers = {pid for pid in everybody if "mock-se" in name_of(pid)}
    assert servers
    run.process.send_signal(number)
    assert run.wait() == (-number if number == signal.SIGKILL else 130), run.stderr

    wait_until_gone(servers, SERVER_GONE_WITHIN_S)
    if number == signal.SIGKILL:  # Ray's own helpers take a minute to notice
        everybody -= end_helpers_of_ray(everybody)
    wait_until_gone(everybody, WORKER_GONE_WITHIN_S)

    again = command.run("describe", *arguments, **environment)
    assert again.returncode == 0, again.stderr
    later = [json.loads(line) for line in again.stdout.splitlines()]
    described = {(s["film"], s["index"]) for s in run.scenes}
    assert not described & {(s["film"], s["index"]) for s in later}, "described twice"
    for film in library[:4]:
        assert len(read_scenes(results, film)) >= SHOTS


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


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def wait_until_gone(processes: set[int], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while left := {pid: name for pid in processes if (name := name_of(pid))}:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(_LOOK_S)


def end_helpers_of_ray(processes: set[int]) -> set[int]:
    """End what Ray keeps for itself; return it."""
    helpers = {pid for pid in processes if re.match("ray::(Dash|Runt)", name_of(pid))}
    for pid in helpers:
        os.kill(pid, signal.SIGKILL)
    return helpers


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


def test_a_model_that_no_worker_sees_is_told_with_the_worker(
    library: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    done = command.run(
        *("describe", *library[:3], "--output-dir", tmp_path, "--cluster", "local"),
        *("--model", tmp_path / "missing.gguf"),
        **environment,
    )

    assert done.returncode == 1
    assert re.search(
        r"Failed to use model file 'missing\.gguf'\.\n  Cause: On \S+:\d+:", done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.server
def test_the_real_server_on_a_cluster(
    llama_server: ServerProgram, environment: dict[str, str], tmp_path: Path
) -> None:
    """Scenes are described, then each film's summary is told where it was described."""
    made = [
        films.make_film(tmp_path / f"film{seed}.mp4", films.still(seed, 24)) for seed in range(3)
    ]
    settings = environment | llama_server.environment
    settings |= {"CINECUT_LLAMA_SERVER": str(llama_server.path)}

    done = command.run(
        *("describe", *made, "--cluster", "local", "--worker-cpus", "1"),
        *("--summary", "--format", "chapters"),
        **settings,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("summary of 1 chapter,") == len(made)
    for film in made:
        results = read_results(tmp_path / f"{film.name}.cinecut")
        assert all(scene.description for scene in results.scenes)
        assert summary_of(results)
        assert (tmp_path / f"{film.name}.cinecut" / "chapters.vtt").is_file()


def test_without_the_extra_one_line_says_what_to_install(
    library: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    hidden = tmp_path / "ray.py"
    hidden.write_text("raise ModuleNotFoundError(\"No module named 'ray'\", name='ray')")

    done = command.run(
        "describe", library[0], "--cluster", "local", **environment, PYTHONPATH=str(tmp_path)
    )

    assert done.returncode == 2
    assert "pip install 'cinecut[cluster]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_fast_because_ray_is_not_imported() -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", command.cinecut_path(), "describe", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "cinecut.cli" in seen.stderr
    assert not re.search(r"\| +(ray|av|requests|rich)\n", seen.stderr)


@pytest.mark.parametrize(
    ("device", "machines", "cpus", "needs", "places"),
    [
        ("auto", [{"GPU": 2, "CPU": 8}, {"CPU": 64}], None, {"num_gpus": 1, "num_cpus": 0}, 2),
        ("gpu", [{"GPU": 8, "CPU": 8}] * 3, None, {"num_gpus": 1, "num_cpus": 0}, 24),
        ("cpu", [{"GPU": 2, "CPU": 8}, {"CPU": 7}], None, {"num_cpus": 4}, 3),
        ("auto", [{"CPU": 2}], None, {"num_cpus": 2}, 1),
        ("cpu", [{"CPU": 2}], 1, {"num_cpus": 1}, 2),
    ],
)
def test_a_worker_asks_for_a_gpu_or_for_cpus(
    device: Device, machines: list[dict[str, float]], cpus: int | None, needs: Needs, places: int
) -> None:
    found = needs_of_a_worker(
        RunSettings(device=device), machines, cpus=cpus, on_notice=lambda _: None
    )

    assert found == needs
    assert count_places(machines, found) == places


def test_no_machine_has_room_for_a_worker() -> None:
    with pytest.raises(ClusterError, match="no machine has more than 8"):
        needs_of_a_worker(
            RunSettings(device="cpu"), [{"CPU": 8}, {"CPU": 4}], cpus=9, on_notice=lambda _: None
        )


def test_a_gpu_that_is_insisted_on_must_be_there() -> None:
    with pytest.raises(ClusterError, match="None of its machines has a GPU"):
        needs_of_a_worker(
            RunSettings(device="gpu"), [{"CPU": 8}], cpus=None, on_notice=lambda _: None
        )


def test_an_address_where_nobody_answers_is_told_at_once(
    library: list[Path], environment: dict[str, str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        done = command.run("describe", library[0], "--cluster", address, **environment)

    assert done.returncode == 1
    assert f"Nobody answers at {address}" in done.stderr
