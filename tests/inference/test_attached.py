"""A server that runs already: nothing is started, nothing is locked, replies are the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import command
import pytest
from clips import BIKES
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.inference import GPU_LOCK
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.question.prompt import Prompt


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.server)])
def server(
    request: pytest.FixtureRequest, tiny_model: TinyModel, tmp_path: Path
) -> Iterator[ServerProcess]:
    name = "mock_server" if request.param == "mock" else "llama_server"
    program: ServerProgram = request.getfixturevalue(name)
    files = ["-m", tiny_model.model, "--mmproj", tiny_model.mmproj]
    slots = ["-np", "2", "-c", "8192", "--no-kv-unified"]
    with ServerProcess(program, *files, *slots, log_path=tmp_path / "server.log") as process:
        yield process


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return Path(shutil.copy(BIKES, tmp_path))


def test_a_film_is_described_with_a_server_that_runs(server: ServerProcess, film: Path) -> None:
    done = command.run("describe", film, "--server-url", server.url, CINECUT_API_KEY=API_KEY)

    assert done.returncode == 0, done.stderr
    run, scenes = command.read_journal(film.with_name("bikes.mp4.cinecut"))
    assert "server" in run["model"]
    assert run["details"]["slots"] == 2
    assert scenes
    assert all(scene["description"] for scene in scenes)
    assert not (film.with_name("bikes.mp4.cinecut") / "llama-server.log").exists()
    assert server.process.poll() is None


def test_neither_lock_nor_server_is_taken(server: ServerProcess) -> None:
    with AttachedEngine(f"{server.url}/v1/", api_key=API_KEY) as engine:
        assert not GPU_LOCK.locked()
        assert engine.server is None
        assert engine.base_url == server.url
    assert server.process.poll() is None


@pytest.mark.parametrize("key", ["wrong", ""])
def test_a_wrong_key_ends_the_run_before_it_begins(
    server: ServerProcess, film: Path, key: str
) -> None:
    done = command.run("describe", film, "--server-url", server.url, CINECUT_API_KEY=key)

    assert done.returncode == 1
    assert "refuses the API key" in done.stderr
    assert not film.with_name("bikes.mp4.cinecut").exists()


def test_no_server_at_the_address_is_told(film: Path) -> None:
    done = command.run("describe", film, "--server-url", "http://127.0.0.1:9")

    assert done.returncode == 1
    assert "No server answers at http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_address_is_a_usage_error(film: Path) -> None:
    done = command.run("describe", film, "--server-url", "ftp://somewhere")

    assert done.returncode == 2
    assert "is no address" in done.stderr


def test_the_schema_goes_as_response_format() -> None:
    """The grammar is llama.cpp's own; the others know the form that OpenAI documents."""
    engine = AttachedEngine("http://127.0.0.1:9", prompt=Prompt("What is this?"))
    body = engine._prompt.body(b"", seed=0, model="m")

    assert "grammar" not in body
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"]["required"]
    assert body["messages"][0]["content"][0]["text"] == "What is this?"
