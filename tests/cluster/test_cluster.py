"""Films on a real Ray cluster of this machine, with workers that die."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import command
import films
import pytest
from cluster_run import (
    ClusterRun,
    listening_addresses,
    name_of,
    processes_below,
    read_scenes,
    write_meeting_servers,
)
from server_process import ServerProgram

from cinecut.cluster.places import Needs, count_places, needs_of_a_worker
from cinecut.errors import ClusterError
from cinecut.inference.gpu.preflight import Device
from cinecut.results.scenes import read_results
from cinecut.results.summary import summary_of
from cinecut.run.settings import RunSettings

GOOD_FILMS = 6
SHOTS = 4
FRAME_S = "0.15"
WORKER_GONE_WITHIN_S = 30.0
SERVER_GONE_WITHIN_S = 15.0
"""How long a llama-server may outlive the driver: 2 s, where the processors are not busy."""
_LOOK_S = 0.02


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good films, a damaged one, and one that is not there."""
    folder = tmp_path_factory.mktemp("library")
    made = []
    for number in range(GOOD_FILMS):
        shots = range(number * SHOTS, (number + 1) * SHOTS + number % 3)
        thumbs = [thumb for seed in shots for thumb in films.still(seed, 12)]
        made.append(films.make_film(folder / f"film{number}.mp4", thumbs))
    damaged = folder / "damaged.mp4"
    damaged.write_bytes(made[0].read_bytes()[:700])
    return [*made, damaged, folder / "missing.mp4"]


def test_killed_workers_cost_nothing(
    library: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
    cluster_runs: list[ClusterRun],
) -> None:
    """Two workers, killed with a film each, then two more; a damaged film and a missing one.

    Nothing listens beyond loopback meanwhile. That one goes on for the other: see `test_nodes`.
    """
    good = library[:GOOD_FILMS]
    alone = command.run("describe", *good, "--output-dir", tmp_path / "alone", "-q", **environment)
    assert alone.returncode == 0, alone.stderr

    workers = min(2, os.cpu_count() or 1)
    program = write_meeting_servers(tmp_path, environment["CINECUT_LLAMA_SERVER"], workers)
    slow = environment | {
        "CINECUT_LLAMA_SERVER": str(program),
        "CINECUT_MOCK_FRAME_S": FRAME_S,
    }
    run = ClusterRun(
        *(tmp_path / "run", *library, "--output-dir", tmp_path / "together"),
        *("--worker-cpus", "1", "--json", "--fresh"),
        **slow,
    )
    cluster_runs.append(run)
    run.wait_for_scenes(len(good))
    listening = listening_addresses(processes_below(run.process.pid))
    assert listening, "nobody listens at all: this test looks at the wrong processes"
    assert all(address.is_loopback for address in listening), listening
    before = run.workers()
    assert len(before) >= workers
    for worker in before:
        os.kill(worker, signal.SIGKILL)

    assert run.wait() == 3, run.stderr
    assert run.lost_workers() == set(before)
    assert set(run.workers()) > set(before), "nobody took the place of the killed workers"
    for film in good:
        there = read_scenes(tmp_path / "together", film)
        assert there == read_scenes(tmp_path / "alone", film)
        assert len({scene["keyframe"]["timestamp_s"] for scene in there}) == len(there) >= SHOTS
    assert len(set(run.told)) == len(run.told), "a scene was described twice"
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
    slow = environment | {"CINECUT_MOCK_FRAME_S": "0.5", "CINECUT_WORKER_CPUS": "1"}
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
