"""A llama-server that fails to start is told apart by its own words, the real ones included."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import tiny_llava
from server_process import NAMED_SERVER, ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import InferenceError
from cinecut.inference.server.child import LlamaServer, UnexplainedEndError
from cinecut.inference.server.diagnosis import REASONS, find_reason
from cinecut.inference.server.log import last_lines, read_tail
from cinecut.mock_server.failures import FAILURES

CAUSES = {
    "oom": "Memory ran out",
    "oom-vulkan": "Memory ran out",
    "no-such-file": None,  # is told before a server is started
    "damaged": "model file is damaged",
    "unknown-architecture": "does not know the model's architecture",
    "mmproj-mismatch": "mmproj does not fit",
    "port-taken": "port was taken",
    "missing-library": "library that llama-server needs is missing",
    "old-driver": "driver is too old",
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_of_the_usual_ends_has_its_reason(name: str) -> None:
    reason = find_reason(FAILURES[name])

    if (cause := CAUSES[name]) is not None:
        assert reason is not None
        assert cause in reason.cause


def test_each_reason_has_a_tip_of_one_sentence() -> None:
    assert all(reason.tip and "\n" not in reason.tip for reason in REASONS)


def test_words_that_say_nothing_are_no_reason() -> None:
    assert find_reason("") is None
    assert find_reason("srv  llama_server: model loaded\nall slots are idle") is None


def start(program: ServerProgram, model: Path, mmproj: Path, log_path: Path) -> None:
    command = [str(program.path), "-m", str(model), "--mmproj", str(mmproj), "-c", "2048"]
    environment = {**os.environ, **program.environment}
    server = LlamaServer(command, environment, log_path, model_path=model)
    try:
        server.start()
    finally:
        server.stop()


@pytest.mark.server
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("cut short", "model file is damaged or incomplete"),
        ("mmproj cut short", "model file is damaged or incomplete"),
        ("unknown architecture", "does not know the model's architecture"),
        ("of another width", "mmproj does not fit the model"),
    ],
)
def test_the_real_server_s_own_words_are_understood(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path, fault: str, cause: str
) -> None:
    model, mmproj, made = tiny_model.model, tiny_model.mmproj, tmp_path / "made.gguf"
    if fault == "cut short":
        model = tiny_llava.write_truncated(made, model)
    elif fault == "mmproj cut short":
        mmproj = tiny_llava.write_truncated(made, mmproj)
    elif fault == "unknown architecture":
        model = tiny_llava.write_text_model(made, architecture="alien")
    else:
        model = tiny_llava.write_text_model(made, width=128)

    for _ in range(3):  # on a busy machine it loses the last lines of its log, once in 200 ends
        with pytest.raises(InferenceError) as raised:
            start(llama_server, model, mmproj, tmp_path / "server.log")
        if not isinstance(raised.value, UnexplainedEndError):
            break
    assert re.search(cause, str(raised.value))
    assert "The last lines of its log:" in raised.value.detail


@pytest.mark.server
def test_the_real_server_s_missing_library_is_told(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    """A copy without the libraries that lie beside it."""
    alone = tmp_path / "llama-server"
    alone.write_bytes(llama_server.path.read_bytes())
    alone.chmod(0o755)
    program = ServerProgram(alone)
    if NAMED_SERVER and program.run("--version").returncode == 0:
        pytest.skip("the server that was named finds its libraries wherever it stands")

    with pytest.raises(InferenceError) as raised:
        start(program, tiny_model.model, tiny_model.mmproj, tmp_path / "server.log")
    assert "missing" in raised.value.detail


def test_of_a_log_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"the first\n" + b"x" * 100_000 + b"\n\xff the last\n\n")

    assert len(read_tail(log)) <= 64 * 1024
    assert read_tail(log).endswith("\N{REPLACEMENT CHARACTER} the last\n\n")
    assert read_tail(log, begin=log.stat().st_size) == ""
    assert read_tail(log, begin=1 << 40).endswith("the last\n\n"), "it has been cut since"
    assert read_tail(tmp_path / "none") == ""


def test_of_the_lines_the_last_are_shown_and_shortened() -> None:
    tail = "\n".join([*(f"line {number}" for number in range(20)), "", "x" * 1000, " "])

    assert last_lines(tail).splitlines()[0] == "line 13"
    assert last_lines(tail).splitlines()[-1] == "x" * 300
