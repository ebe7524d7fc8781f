"""`cinecut doctor --prove`: one frame described for real, or what is in the way of that."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import command
import pytest
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.doctor import Finding, Machine, proof, prove
from cinecut.inference.gpu.lock import between_processes

STEPS = ["its start", "its contract", "a description"]


@pytest.fixture
def machine(mock_server: ServerProgram) -> Machine:
    """A machine whose llama-server is the mock, which shows the faults of its environment."""
    return Machine(llama_server=str(mock_server.path), device="cpu")


def doctor(*arguments: str | Path, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the command and return its exit code and what it says on stdout."""
    done = command.run("doctor", "--prove", "--json", *arguments, **environment)
    assert "Traceback" not in done.stderr, done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {entry["check"]: entry for entry in entries}


def proven(machine: Machine) -> dict[str, Finding]:
    return dict(prove(machine))


@pytest.mark.server
def test_the_real_server_describes_a_frame_and_says_how_long_it_took(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    code, found = doctor(
        *("--model", "demo", "--device", "cpu", "--llama-server", llama_server.path),
        **llama_server.environment,
        TMPDIR=str(tmp_path),
    )

    assert code == 0, found
    assert list(found)[-3:] == STEPS
    assert {found[name]["state"] for name in STEPS} == {"ok"}
    assert "version: " in found["its start"]["found"]
    assert "on the CPU" in found["its start"]["found"]
    assert found["its start"]["seconds"] > 0
    assert found["its contract"]["found"] == (
        "it refuses a wrong key and tells its model, its slots, a slot's context, that it sees, "
        "the prompt as it reads it, what a picture costs, as describe needs it"
    )
    assert " picture " in found["a description"]["found"]
    assert found["a description"]["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_person_reads_the_same_in_sentences(mock_server: ServerProgram) -> None:
    options = ("--model", "demo", "--device", "cpu", "--llama-server", mock_server.path)
    done = command.run("doctor", "--prove", *options)

    assert done.returncode == 0
    assert "\nok      a description: valid, " in done.stdout
    assert done.stderr == "cinecut describe works: 0 failures, 0 warnings\n"


@pytest.mark.parametrize(
    ("fault", "told", "mend"),
    [
        ("exit=3@load", "exit code 3 while starting", "Update llama-server"),
        ("fail=oom", "Memory ran out", "--device cpu"),
        ("blind", "no vision", "cinecut models list"),
        ("impostor", "another model", ""),
        ("bad-json", "malformed", "Update llama-server"),
        ("stall", "timeout", "Update llama-server"),
        ("kill@1-", "llama-server has died", "Update llama-server"),
    ],
)
def test_what_is_in_the_way_is_a_failure_and_the_last_thing_tried(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, fault: str, told: str, mend: str
) -> None:
    monkeypatch.setattr(proof, "_FRAME_TIMEOUT_S", 0.2 if fault == "stall" else 60.0)
    monkeypatch.setenv("CINECUT_MOCK_FAULT", fault)
    found = proven(machine)
    last = list(found.values())[-1]

    assert [finding.state for finding in found.values()] == ["ok"] * (len(found) - 1) + ["failure"]
    assert list(found) == STEPS[: len(found)]
    assert told in last.found
    assert last.mend
    assert mend in last.mend


def test_a_failure_is_exit_code_1_with_the_last_lines_of_the_log(
    mock_server: ServerProgram,
) -> None:
    options = ("--model", "demo", "--device", "cpu", "--llama-server", mock_server.path)
    done = command.run("doctor", "--prove", *options, CINECUT_MOCK_FAULT="fail=damaged")

    assert done.returncode == 1
    assert "failure its start: llama-server failed. The model file is damaged" in done.stdout
    assert "\n        llama_model_load: error loading model" in done.stdout
    assert "results folder" not in done.stdout
    assert done.stderr.endswith("will not work yet: 1 failure, 0 warnings\n")


def test_a_server_that_dies_once_is_a_warning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "kill@1")
    monkeypatch.setenv("CINECUT_MOCK_ONCE", str(tmp_path / "once"))
    found = proven(machine)

    assert found["a description"].state == "warning"
    assert "has died: starting it anew" in found["a description"].found


def test_what_an_early_build_does_not_tell_is_a_warning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "render", lambda *_: None)
    contract = proven(machine)["its contract"]

    assert contract.state == "warning"
    assert "does not tell the prompt as it reads it" in contract.found


@pytest.mark.parametrize("program", [sys.executable, "no-such-program"])
def test_a_program_that_is_none_is_told_once_and_not_started(program: str) -> None:
    code, found = doctor("--model", "demo", "--device", "cpu", "--llama-server", program)

    assert code == 1
    failures = [name for name, entry in found.items() if entry["state"] == "failure"]
    assert failures == ["llama-server"]
    assert not set(STEPS) & set(found)


def test_without_pyav_nothing_is_started(mock_server: ServerProgram, tmp_path: Path) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('libavcodec is missing')")
    code, found = doctor(
        *("--model", "demo", "--llama-server", mock_server.path), PYTHONPATH=str(tmp_path)
    )

    assert code == 1
    assert not set(STEPS) & set(found)


def test_a_gpu_that_another_has_is_not_waited_for(machine: Machine) -> None:
    machine.device = "auto"
    with between_processes("default", "film.mkv", lambda _: None, lambda: False):
        found = proven(machine)

    assert list(found) == ["its start"]
    assert found["its start"].state == "failure"
    assert "Nothing was proven" in found["its start"].found
    assert "film.mkv" in found["its start"].found


def test_a_server_that_is_not_ready_in_time_is_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "_READY_WITHIN_S", 0.5)
    monkeypatch.setenv("CINECUT_MOCK_LOAD_S", "60")
    found = proven(machine)

    assert "not ready within" in found["its start"].found


def test_ctrl_c_ends_the_server_in_order(mock_server: ServerProgram, tmp_path: Path) -> None:
    process = command.start(
        *("doctor", "--prove", "--json", "--model", "demo", "--device", "cpu"),
        *("--llama-server", mock_server.path),
        CINECUT_MOCK_LOAD_S="60",
        TMPDIR=str(tmp_path),
    )
    deadline_s = time.monotonic() + command.PATIENCE_S
    while not list(tmp_path.glob("*/llama-server.log")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 130
    assert said == "Interrupted.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_runs_already_describes_the_frame_itself(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    files = ("-m", tiny_model.model, "--mmproj", tiny_model.mmproj)
    with ServerProcess(mock_server, *files, log_path=tmp_path / "log") as server:
        url = server.url
        code, found = doctor("--server-url", url, CINECUT_API_KEY=API_KEY)
    gone_code, gone = doctor("--server-url", url)

    assert code == 0, found
    assert list(found)[-1] == "a description"
    assert found["a description"]["seconds"] > 0
    assert gone_code == 1
    assert "No server answers" in gone["a description"]["found"]


def test_a_description_that_is_no_language_is_a_warning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "long=150")

    finding = proven(machine)["a description"]

    assert finding.state == "warning"
    assert "this is no language" in finding.found
