"""`cinecut doctor`: what it finds on machines that are well and on machines that are not."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command
import pytest
import tiny_llava
from faults import nvidia_smi
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.doctor import CHECKS, Finding, Machine, examine
from cinecut.doctor.finding import ok
from cinecut.errors import FilmError
from cinecut.inference import vram
from cinecut.inference.gpu.lock import between_processes
from cinecut.inference.model.fit import widths
from cinecut.inference.model.vision_model import read_vision_model

OnPath = Callable[[str | None], None]


@pytest.fixture
def machine(tiny_model: TinyModel, mock_server: ServerProgram, tmp_path: Path) -> Machine:
    """A machine with a model and a llama-server."""
    return Machine(
        model=tiny_model.model, llama_server=str(mock_server.path), output_dir=tmp_path / "results"
    )


@pytest.fixture(autouse=True)
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnPath:
    """Put an nvidia-smi on the PATH, and nothing else; there is none at first."""

    def put(script: str | None) -> None:
        monkeypatch.setenv("PATH", str(nvidia_smi.write(tmp_path / "bin", script)))

    put(None)
    return put


def findings(machine: Machine, *names: str) -> dict[str, Finding]:
    """Run the checks of these names."""
    return dict(examine(machine, {name: CHECKS[name] for name in names}))


def finding(machine: Machine, name: str) -> Finding:
    return findings(machine, name)[name]


def doctor(*arguments: str | Path, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the command and return its exit code and what it says on stdout."""
    done = command.run("doctor", "--json", *arguments, **environment)
    assert "Traceback" not in done.stderr, done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {entry["check"]: entry for entry in entries}


@pytest.mark.server
def test_with_a_model_and_the_real_llama_server_describe_will_work(
    tiny_model: TinyModel, llama_server: ServerProgram, tmp_path: Path
) -> None:
    code, found = doctor(
        *("--model", tiny_model.model, "--output-dir", tmp_path),
        *("--llama-server", llama_server.path),
        **llama_server.environment,
    )

    assert code == 0, found
    assert [name for name, entry in found.items() if entry["state"] != "ok"] == ["GPU"]
    assert list(found["GPU"]) == ["check", "state", "found", "mend"]
    assert "slower" in found["GPU"]["found"]
    assert "decodes H.264, HEVC" in found["codecs"]["found"]
    assert "--image-max-tokens" in found["its flags"]["found"]
    assert "pictures at once" in found["memory"]["found"]
    assert list(tmp_path.iterdir()) == [tmp_path / "bin"]


def test_on_an_empty_machine_each_failure_names_the_next_command(tmp_path: Path) -> None:
    code, found = doctor("--llama-server", "nowhere", "--models-dir", tmp_path / "models")

    assert code == 1
    failures = {name: entry for name, entry in found.items() if entry["state"] == "failure"}
    assert list(failures) == ["llama-server", "model"]
    assert "pip install 'cinecut[server]'" in failures["llama-server"]["mend"]
    assert failures["model"]["mend"].endswith("cinecut models pull")
    assert all(entry["mend"] for entry in found.values() if entry["state"] != "ok")


def test_a_person_reads_a_line_each_and_the_verdict(machine: Machine) -> None:
    options = ("--model", machine.model, "--llama-server", machine.llama_server)
    done = command.run("doctor", *options)

    assert done.returncode == 0
    assert "ok      llama-server: " in done.stdout
    assert "warning GPU: " in done.stdout
    assert done.stderr == "cinecut describe will work: 0 failures, 1 warning\n"


def test_a_broken_pyav_is_a_failure_and_the_rest_is_told(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('libavcodec is missing')")
    code, found = doctor(
        *("--model", machine.model, "--llama-server", machine.llama_server),
        PYTHONPATH=str(tmp_path),
    )

    assert code == 1
    assert found["codecs"]["state"] == "failure"
    assert "libavcodec is missing" in found["codecs"]["found"]
    assert found["model"]["state"] == "ok"


def test_a_gpu_is_told_with_its_driver_and_memory(machine: Machine, smi: OnPath) -> None:
    smi(
        'case "$*" in *name*) echo "NVIDIA H100, 80GB, 550.54.15, 81559";; *) echo 80000;; esac',
    )
    found = findings(machine, "GPU", "memory")

    assert found["GPU"] == ok("NVIDIA H100, 80GB, driver 550.54.15, 80000 of 81559 MiB free")
    assert "80000 MiB free on GPU 0" in found["memory"].found


def test_a_llama_server_that_does_not_see_the_gpu_is_a_warning(
    machine: Machine, smi: OnPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(nvidia_smi.answering(24000))
    blind = finding(machine, "its devices")
    monkeypatch.setenv("CINECUT_MOCK_DEVICES", "CUDA0: NVIDIA H100 (81559 MiB, 80000 MiB free)")
    seeing = finding(Machine(llama_server=machine.llama_server), "its devices")

    assert blind.state == "warning"
    assert "--llama-server PATH" in (blind.mend or "")
    assert seeing == ok("CUDA0: NVIDIA H100 (80000 of 81559 MiB free)")


def test_a_gpu_of_another_make_is_no_warning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_DEVICES", "MTL0: Apple M2 (10922 MiB, 10900 MiB free)")
    found = findings(machine, "GPU", "memory")

    assert found["GPU"].state == "ok"
    assert "MTL0: Apple M2" in found["GPU"].found
    assert "10900 MiB free on the GPU" in found["memory"].found


def test_where_the_cpu_is_asked_for_the_gpu_is_left_alone(machine: Machine, smi: OnPath) -> None:
    smi(nvidia_smi.FAILING)
    machine.device = "cpu"
    found = findings(machine, "GPU", "its devices", "memory", "GPU lock")

    assert list(found) == ["GPU", "memory"]
    assert found["GPU"] == ok("left alone: the CPU was asked for")
    assert "of main memory" in found["memory"].found


def test_a_gpu_that_is_insisted_on_and_not_there_is_a_failure(machine: Machine) -> None:
    machine.device = "gpu"
    insisted = finding(machine, "GPU")
    named = finding(Machine(llama_server=machine.llama_server, selector="1"), "GPU")

    assert insisted.state == named.state == "failure"
    assert "--device cpu" in (insisted.mend or "")


def test_a_llama_server_that_does_not_see_the_gpu_insisted_on_is_a_failure(
    machine: Machine, smi: OnPath
) -> None:
    smi(nvidia_smi.answering(24000))
    machine.device = "gpu"

    assert finding(machine, "its devices").state == "failure"
    assert finding(machine, "memory").state == "ok"


def test_the_gpu_that_is_named_is_the_one_looked_at(machine: Machine, smi: OnPath) -> None:
    smi('case "$*" in *"-i 1"*) echo 9000;; *) echo 24000;; esac')
    machine.selector = "1"

    assert finding(machine, "GPU") == ok("GPU 1, 9000 MiB free")


def test_a_vram_check_that_is_passed_over_prevents_nothing(machine: Machine, smi: OnPath) -> None:
    machine.skips_vram_check = True
    smi(nvidia_smi.NOT_TELLING)
    unknown = finding(machine, "GPU")
    machine = Machine(machine.model, llama_server=machine.llama_server, skips_vram_check=True)
    smi(nvidia_smi.answering(100))
    short = finding(machine, "memory")

    insisted = Machine(llama_server=machine.llama_server, device="gpu", skips_vram_check=True)
    smi(nvidia_smi.NOT_TELLING)
    blind = finding(insisted, "GPU")

    named = Machine(llama_server=machine.llama_server, selector="1", skips_vram_check=True)
    smi(None)
    not_asked = finding(named, "GPU")

    assert unknown.state == short.state == not_asked.state == "warning"
    assert blind.state == "failure", "describe would find no GPU that this llama-server sees"


@pytest.mark.parametrize(
    ("script", "state", "told"),
    [
        (nvidia_smi.FAILING, "failure", "could not talk to the driver"),
        (nvidia_smi.NOT_TELLING, "failure", "does not tell how much memory"),
        (nvidia_smi.HANGING, "failure", "no answer within"),
        (nvidia_smi.WITHOUT_DEVICES, "warning", "lists no GPU"),
        (nvidia_smi.answering(100), "ok", "100 MiB free"),
    ],
)
def test_what_nvidia_smi_says_is_told(
    machine: Machine, smi: OnPath, monkeypatch: pytest.MonkeyPatch,
    script: str, state: str, told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(vram, "_TIMEOUT_S", 0.5)
    smi(script)
    gpu = finding(machine, "GPU")

    assert (gpu.state, told in gpu.found) == (state, True), gpu
    assert gpu.mend or state == "ok"


def test_a_model_that_does_not_fit_the_gpu_is_a_failure(machine: Machine, smi: OnPath) -> None:
    smi(nvidia_smi.answering(100))
    memory = finding(machine, "memory")

    assert memory.state == "failure"
    assert "100 MiB free" in memory.found
    assert "cinecut models list" in (memory.mend or "")


def test_files_that_are_no_pair_are_a_failure(tiny_model: TinyModel, tmp_path: Path) -> None:
    wide = tiny_llava.write_text_model(tmp_path / "wide.gguf", width=128)
    torn = tiny_llava.write_truncated(tmp_path / "torn.gguf", tiny_model.mmproj)
    pairs = {
        "output is 64 wide, the model 128": (wide, tiny_model.mmproj),
        "It is an mmproj": (tiny_model.mmproj, tiny_model.model),
        "no such file": (tiny_model.model, tmp_path / "missing.gguf"),
        "tensors": (tiny_model.model, torn),
    }
    for told, (model, mmproj) in pairs.items():
        pair = finding(Machine(model, mmproj), "model")

        assert pair.state == "failure", told
        assert told in pair.found
        assert pair.mend

    assert widths(read_vision_model(tiny_model.model, tiny_model.mmproj)) == (64, 64)


def test_an_early_llama_server_is_a_warning_and_one_without_vision_a_failure(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "without=--image-max-tokens")
    early = finding(Machine(llama_server=machine.llama_server), "its flags")
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "without=--mmproj")
    blind = finding(Machine(llama_server=machine.llama_server), "llama-server")

    assert early.state == "warning"
    assert "--image-max-tokens" in early.found
    assert blind.state == "failure"
    assert "takes no pictures" in blind.found


def test_a_llama_server_that_cannot_start_is_a_failure(machine: Machine, tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    program.write_text(
        "#!/bin/sh\necho 'error while loading shared libraries: libx.so' >&2\nexit 127"
    )
    program.chmod(0o755)
    machine.llama_server = str(program)
    found = findings(machine, "llama-server", "its flags", "its devices")

    assert found["llama-server"].state == "failure"
    assert "libx.so" in found["llama-server"].found
    assert list(found) == ["llama-server"]


def test_a_folder_that_cannot_be_written_is_a_failure(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    machine.output_dir = machine.models_dir = tmp_path / "file"
    found = findings(machine, "results", "models folder")

    assert found["results"].state == "failure"
    assert "--output-dir DIR" in (found["results"].mend or "")
    assert found["models folder"].state == "warning"


def test_who_has_the_gpu_is_told_and_the_lock_is_given_back(machine: Machine) -> None:
    with between_processes("default", "film.mkv", lambda _: None, lambda: False):
        held = finding(machine, "GPU lock")
    free = finding(machine, "GPU lock")

    assert held.state == "warning"
    assert "film.mkv" in held.found
    assert free.state == "ok"


@pytest.mark.parametrize(
    ("script", "selector", "lock"),
    [
        (None, "1", "1"),
        (nvidia_smi.answering("[N/A]", "[N/A]"), "1", "1"),
        (nvidia_smi.answering(9000, 24000), None, "1"),
        (nvidia_smi.NOT_TELLING, None, "default"),
    ],
)
def test_the_lock_looked_at_is_the_one_that_describe_takes(
    machine: Machine, smi: OnPath, script: str | None, selector: str | None, lock: str
) -> None:
    """Also of a GPU that was named and of which nobody tells how much memory is free."""
    machine.selector, machine.skips_vram_check = selector, True
    smi(script)
    with between_processes(lock, "film.mkv", lambda _: None, lambda: False):
        held = finding(machine, "GPU lock")
    with between_processes("another", "film.mkv", lambda _: None, lambda: False):
        free = finding(machine, "GPU lock")

    assert (held.state, free.state) == ("warning", "ok")


def test_a_check_that_breaks_or_hangs_is_a_failure_and_the_next_one_runs(machine: Machine) -> None:
    ended = threading.Event()

    def breaks(_: Machine) -> Finding:
        raise ZeroDivisionError("no\nway")

    def knows_why(_: Machine) -> Finding:
        raise FilmError("x.mkv", "It is gone.", tip="Look elsewhere.")

    def hangs(_: Machine) -> Finding:
        ended.wait()
        return ok("too late")

    checks = {
        "a": breaks,
        "b": knows_why,
        "c": hangs,
        "d": lambda _: ok("fine"),
        "e": lambda _: None,
    }
    found = dict(examine(machine, checks, limit_s=0.2))
    ended.set()

    assert [finding.state for finding in found.values()] == ["failure"] * 3 + ["ok"]
    assert "ZeroDivisionError" in found["a"].found
    assert (found["b"].found, found["b"].mend) == ("It is gone.", "Look elsewhere.")
    assert "no answer within 0.2 s" in found["c"].found


def test_a_server_that_runs_already_is_all_that_is_looked_at(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    files = ("-m", tiny_model.model, "--mmproj", tiny_model.mmproj)
    with ServerProcess(mock_server, *files, log_path=tmp_path / "log") as server:
        url = server.url
        server.wait_for_log("server is listening|all slots are idle|model loaded")
        code, found = doctor("--server-url", url, CINECUT_API_KEY=API_KEY)
    gone_code, gone = doctor("--server-url", url)

    assert code == 0, found
    assert list(found) == ["CineCut", "codecs", "server", "results"]
    assert "pictures at once" in found["server"]["found"]
    assert gone_code == 1
    assert "No server answers" in gone["server"]["found"]


def test_doctor_takes_no_process_with_it(machine: Machine, smi: OnPath, tmp_path: Path) -> None:
    smi(f"echo $$ >> {tmp_path}/asked; echo 24000")
    findings(machine, "GPU", "memory", "GPU lock")
    asked = (tmp_path / "asked").read_text().split()

    assert asked
    for pid in asked:
        assert subprocess.run(["/bin/kill", "-0", pid], capture_output=True).returncode != 0
