"""A server that runs already: nothing is started, nothing is locked, replies are the same."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import command
import pytest
import responses
from clips import BIKES
from families.llava import LLAVA
from families.trial import jpeg
from faults.reply_bodies import drip, raw_server
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import InferenceError
from cinecut.inference import GPU_LOCK
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.prompt import Prompt

_ROLE_FIRST = (
    "{% for message in messages %}{{ message.role }}<|role_sep|>\n"
    "{{ message.content }}<|message_sep|>\n\n{% endfor %}"
    "{% if add_generation_prompt %}assistant<|role_sep|>\n{% endif %}"
)
_CHANNELS = (
    "{% for message in messages %}<|start|>{{ message.role }}"
    "{% if message.role == 'assistant' %}<|channel|>final{% endif %}"
    "<|message|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
_TEXT_MARKS = (
    "{% for message in messages %}<|START_OF_TURN_TOKEN|>"
    "{% if message.role == 'assistant' %}<|CHATBOT_TOKEN|>"
    "<|START_THINKING|>{{ message.reasoning_content or '' }}<|END_THINKING|>"
    "{% else %}<|USER_TOKEN|>{% endif %}"
    "{% if message.tool_calls %}<|START_ACTION|>{{ message.tool_calls }}<|END_ACTION|>"
    "{% else %}<|START_TEXT|>{{ message.content }}<|END_TEXT|>{% endif %}"
    "<|END_OF_TURN_TOKEN|>{% endfor %}"
    "{% if add_generation_prompt %}"
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_THINKING|>{% endif %}"
)
OK_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


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
    """A model in the environment is for a server of one's own, and does not stand in the way."""
    own = {"CINECUT_MODEL": "no-such.gguf", "CINECUT_MMPROJ": "nor-such.gguf"}
    done = command.run("describe", film, "--server-url", server.url, CINECUT_API_KEY=API_KEY, **own)

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_trickles_holds_up_no_end(film: Path, number: int) -> None:
    asked = threading.Event()

    def trickle(connection: socket.socket) -> None:
        asked.set()
        drip(connection, OK_HEAD)

    with raw_server(trickle) as url:
        process = command.start("describe", film, "--server-url", url)
        assert asked.wait(command.PATIENCE_S)
        process.send_signal(number)
        _, told = process.communicate(timeout=10)  # the server would have 15 s

    assert process.returncode == 130
    assert "Interrupted" in told
    assert "Traceback" not in told


def test_a_frame_that_trickles_holds_up_no_end(
    mock_server: ServerProgram, tiny_model: TinyModel, film: Path, tmp_path: Path
) -> None:
    files = ("-m", tiny_model.model, "--mmproj", tiny_model.mmproj)
    stalls = {"CINECUT_MOCK_FAULT": "stall"}
    with ServerProcess(
        mock_server, *files, log_path=tmp_path / "server.log", environment=stalls
    ) as server:
        process = command.start(
            "describe", film, "--server-url", server.url, CINECUT_API_KEY=API_KEY
        )
        server.wait_for_log("processing task")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)  # the frame would have 60 s

    assert process.returncode == 130


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("ftp://somewhere", "", "is no address of a server"),
        ("http://[::1", "", "is no address of a server"),
        ("http://user:s3cret@127.0.0.1:9", "", "a user name or a password"),
        ("http://127.0.0.1:9", "schl\u00fcssel-s3cret", "characters that no key has"),
    ],
)
def test_what_is_no_address_or_no_key_is_a_usage_error(
    film: Path, url: str, key: str, said: str
) -> None:
    done = command.run("describe", film, "--server-url", url, CINECUT_API_KEY=key)

    assert done.returncode == 2
    assert said in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("names", "more", "expected"),
    [
        (["a"], {}, "a"),
        (["a"], {"prefers": "other.gguf"}, "a"),
        (["a", "b"], {"prefers": "b"}, "b"),
        (["a", "b"], {"model": "a", "prefers": "b"}, "a"),
        (["a", "b"], {"prefers": "c"}, None),
        (["a"], {"model": "b"}, None),
        ([], {}, None),
        (["a" * 1000], {}, None),
    ],
)
def test_which_model_of_the_server_is_used(
    names: list[str], more: dict[str, str], expected: str | None
) -> None:
    engine = AttachedEngine("http://127.0.0.1:9/v1", **more)
    with responses.RequestsMock() as mock:
        mock.get("http://127.0.0.1:9/v1/models", json={"data": [{"id": name} for name in names]})
        if expected is None:
            with pytest.raises(InferenceError, match="but: "):
                engine.read_model_name()
        else:
            assert engine.read_model_name() == expected


@pytest.mark.server
@pytest.mark.parametrize("template", [_ROLE_FIRST, _CHANNELS, _TEXT_MARKS])
def test_a_llama_server_that_expects_something_of_a_template_describes(
    template: str, llama_server: ServerProgram, tmp_path: Path
) -> None:
    """As GigaChat 3.1: a schema holds builds 10434 and 11434 to nothing, or they refuse it.

    As gpt-oss and Cohere 2 MoE: they fail without the marks that stand before an answer.
    """
    pair = replace(LLAVA, text=replace(LLAVA.text, template=template)).write(tmp_path / "pair")
    files = ["-m", pair.model, "--mmproj", pair.mmproj, "--jinja", "-np", "1", "-c", "4096"]
    with (
        ServerProcess(llama_server, *files, log_path=tmp_path / "server.log") as server,
        AttachedEngine(server.url, api_key=API_KEY) as engine,
    ):
        outcome = engine.describe(jpeg((64, 48)))

    assert isinstance(outcome, SceneDescription)


def test_a_llama_server_that_cannot_read_what_a_grammar_makes_gets_the_schema() -> None:
    """As with muse-glimmer's template: it looks for marks of its own."""
    said = "The model produced output that does not match the expected peg-native format"
    with responses.RequestsMock() as mock:
        mock.get("http://127.0.0.1:9/v1/models", json={"data": [{"id": "a"}]})
        mock.get("http://127.0.0.1:9/props", json={"build_info": "b11434", "chat_template": ""})
        mock.post("http://127.0.0.1:9/apply-template", json={"prompt": "<__media__>"})
        failed = {"error": {"code": 500, "message": said, "type": "server_error"}}
        mock.post("http://127.0.0.1:9/v1/chat/completions", json=failed, status=500)
        with AttachedEngine("http://127.0.0.1:9") as engine:
            body = engine._prompt.body(b"", seed=0, model="a")

    assert "grammar" not in body
    assert "response_format" in body
    assert "chat_template_kwargs" in body


def test_the_schema_goes_as_response_format() -> None:
    """The grammar is llama.cpp's own; the others know the form that OpenAI documents."""
    engine = AttachedEngine("http://127.0.0.1:9", prompt=Prompt("What is this?"))
    body = engine._prompt.body(b"", seed=0, model="m")

    assert "grammar" not in body
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"]["required"]
    assert body["messages"][0]["content"][0]["text"] == "What is this?"
