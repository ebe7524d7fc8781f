"""What CineCut relies on in a llama-server holds for the real one and for the mock alike."""

from __future__ import annotations

import io
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile_environment
import pytest
import requests
from PIL import Image
from server_process import (
    API_KEY,
    PATIENCE_S,
    ServerProcess,
    ServerProgram,
    chat_body,
    code_of_failed_start,
    text_of,
)
from tiny_llava import TinyModel

from cinecut.inference.address import ways_to

CLOSED = "http://127.0.0.1:9"
FIELDS = ("visual_content", "mood")
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1, "maxLength": 60} for name in FIELDS},
    "required": list(FIELDS),
    "additionalProperties": False,
}
RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "scene", "strict": True, "schema": SCHEMA},
}
GRAMMAR = r"""
root ::= "{\"visual_content\":" text ",\"mood\":" text "}"
text ::= "\"" [ -!#-\[\]-~]{1,60} "\""
"""
PROMPT_FLAGS = ("--no-jinja", "--chat-template=vicuna")


def jpeg(colour: str) -> bytes:
    """Return a small picture of one colour and some noise."""
    picture = Image.effect_noise((160, 120), 60).convert("RGB")
    picture.paste(colour, (0, 0, 80, 120))
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


@pytest.fixture(scope="module", autouse=True)
def _hostile_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have servers and requests live with proxies, logins and certificates of others."""
    variables = hostile_environment.variables(tmp_path_factory.mktemp("hostile"), CLOSED)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module", params=["mock", pytest.param("real", marks=pytest.mark.server)])
def program(request: pytest.FixtureRequest) -> ServerProgram:
    name = {"mock": "mock_server", "real": "llama_server"}[request.param]
    found: ServerProgram = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="module")
def server(
    program: ServerProgram, tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with two slots of 2048 tokens and vision."""
    log_path = tmp_path_factory.mktemp("server") / "server.log"
    with start(program, tiny_model, log_path) as running:
        yield running


def start(
    program: ServerProgram, pair: TinyModel, log_path: Path, *flags: str | Path
) -> ServerProcess:
    return ServerProcess(
        program,
        *("-m", pair.model, "--mmproj", pair.mmproj, "-np", "2", "-c", "4096"),
        *program.known(*PROMPT_FLAGS, "--no-kv-unified", "--cache-ram=0", "--no-webui"),
        *flags,
        log_path=log_path,
    )


def test_help_lists_every_flag_that_matters(program: ServerProgram) -> None:
    flags = (
        *("-m,", "--mmproj ", "--host", "--port", "-np,", "-c,", "--jinja", "--chat-template "),
        *("--chat-template-file", "--offline", "--no-webui", "-ngl,", "-b,", "-ub,", "--device "),
        *("--no-mmproj-offload", "--reasoning-format", "--list-devices"),
    )

    later = ("--no-kv-unified", "--cache-ram", "--no-jinja", "--no-ui", "--skip-chat-parsing")

    helped = program.run("--help")

    assert helped.returncode == 0
    assert [flag for flag in flags if flag not in helped.stdout] == []
    assert program.is_early or [flag for flag in later if flag not in helped.stdout] == []


def test_devices_are_listed_on_stdout(program: ServerProgram) -> None:
    listed = program.run("--list-devices")

    assert listed.returncode == 0
    assert listed.stdout.startswith("Available devices:\n" + "  " * (not program.is_early))


def test_version_is_told(program: ServerProgram) -> None:
    told = program.run("--version")

    assert told.returncode == 0
    assert "version: " in told.stderr + told.stdout


def test_health_is_good_and_public_once_the_log_says_listening(server: ServerProcess) -> None:
    url = f"{server.url}/health"
    response = requests.get(url, timeout=PATIENCE_S, **ways_to(url))

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/props"), ("POST", "/apply-template"), ("POST", "/v1/chat/completions")],
)
@pytest.mark.parametrize("key", [None, "another-key"])
def test_nothing_else_is_told_without_the_key(
    server: ServerProcess, method: str, path: str, key: str | None
) -> None:
    url, body = server.url + path, chat_body(jpeg("red"))

    response = requests.request(method, url, json=body, timeout=PATIENCE_S, **ways_to(url, key))

    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_unknown_paths_are_not_found(server: ServerProcess) -> None:
    assert server.get("/no-such-path").status_code == 404


def test_the_key_is_not_in_the_log(server: ServerProcess) -> None:
    server.get("/props")

    assert API_KEY not in server.log


def test_props_tell_slots_context_model_and_vision(
    server: ServerProcess, tiny_model: TinyModel
) -> None:
    props = server.get("/props").json()

    assert props["total_slots"] == 2
    assert props["default_generation_settings"]["n_ctx"] == 2048
    assert props["model_path"] == str(tiny_model.model)
    assert props["modalities"]["vision"] is True


def test_models_tell_that_pictures_are_welcome(
    program: ServerProgram, server: ServerProcess, tiny_model: TinyModel
) -> None:
    models = server.get("/v1/models").json()

    assert models["data"][0]["id"] == str(tiny_model.model)
    assert models["data"][0]["owned_by"] == "llamacpp"
    welcome = [] if program.is_early else ["multimodal"]
    assert models["models"][0]["capabilities"] == ["completion", *welcome]


def test_rendered_prompt_holds_the_picture_between_vicunas_turn_markers(
    server: ServerProcess,
) -> None:
    prompt = server.post("/apply-template", chat_body(jpeg("red"), text="Look.")).json()["prompt"]

    # The mark is random in later builds; the earliest do not tell it, nor put it first.
    marker = server.get("/props").json().get("media_marker")
    turns = [f"{marker}\nLook.\n"] if marker else ["<__media__>\nLook.\n", "Look.\n<__media__>\n"]
    assert prompt in [f"USER: {turn}ASSISTANT:" for turn in turns]


def test_a_template_name_needs_no_jinja(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    """With jinja on, the name is the template's text and the picture is lost."""
    with start(program, tiny_model, tmp_path / "log", "--jinja") as server:
        prompt = server.post("/apply-template", chat_body(jpeg("red"))).json()["prompt"]
        response = server.chat(jpeg("red"))

    assert prompt == "vicuna"
    assert response.status_code == 400


def test_what_a_prompt_costs_is_told_beforehand(
    program: ServerProgram, server: ServerProcess
) -> None:
    """Early builds cannot tell: they have no such question."""
    asked = server.post("/v1/chat/completions/input_tokens", chat_body(jpeg("red")))
    used = server.chat(jpeg("red"), max_tokens=1).json()["usage"]["prompt_tokens"]

    if not (program.is_early and asked.status_code == 404):
        assert asked.json()["input_tokens"] == used


@pytest.mark.parametrize("constraint", [{"response_format": RESPONSE_FORMAT}, {"grammar": GRAMMAR}])
def test_reply_about_a_picture_obeys_schema_and_grammar(
    server: ServerProcess, constraint: dict[str, object]
) -> None:
    response = server.chat(jpeg("red"), **constraint)

    reply = response.json()
    scene = json.loads(text_of(response))
    assert list(scene) == list(FIELDS)
    assert all(isinstance(text, str) and text.isprintable() for text in scene.values())
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["prompt_tokens"] > 576
    assert reply["usage"]["completion_tokens"] > 0
    assert reply["timings"]["predicted_n"] == reply["usage"]["completion_tokens"]


def test_another_picture_gets_another_description(server: ServerProcess) -> None:
    red, blue = (text_of(server.chat(jpeg(c), grammar=GRAMMAR)) for c in ("red", "blue"))

    assert red != blue


def test_all_slots_answer_at_the_same_time(server: ServerProcess) -> None:
    pictures = [jpeg(colour) for colour in ("red", "green", "blue", "white")]
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda each: text_of(server.chat(each, grammar=GRAMMAR)), pictures))

    assert all(set(json.loads(text)) == set(FIELDS) for text in texts)


def test_reply_that_runs_out_of_tokens_says_length(server: ServerProcess) -> None:
    response = server.chat(jpeg("red"), grammar=GRAMMAR, max_tokens=5)

    assert response.json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("data", [b"not a picture", b""], ids=["text", "nothing"])
def test_picture_that_is_none_is_a_bad_request(server: ServerProcess, data: bytes) -> None:
    response = server.chat(data)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_prompt_too_long_for_the_slot_is_told_apart(
    program: ServerProgram, server: ServerProcess
) -> None:
    error = server.chat(jpeg("red"), text="long " * 2000).json()["error"]

    assert error["code"] == 400
    assert "exceeds the available context size" in error["message"]
    if not program.is_early:
        assert error["type"] == "exceed_context_size_error"
        assert error["n_prompt_tokens"] > error["n_ctx"] == 2048


def test_broken_grammar_is_a_bad_request(server: ServerProcess) -> None:
    error = server.chat(jpeg("red"), grammar="no grammar").json()["error"]

    assert error["code"] == 400
    assert "failed to parse grammar" in error["message"].lower()


def test_body_that_is_not_json_is_an_error_and_not_the_end(server: ServerProcess) -> None:
    url = f"{server.url}/v1/chat/completions"
    response = requests.post(url, data=b"{no json", timeout=PATIENCE_S, **ways_to(url, API_KEY))

    told = response.status_code, response.json()["error"]["type"]
    assert told in {(400, "invalid_request_error"), (500, "server_error")}  # as the build pleases
    assert server.get("/health").status_code == 200


def test_without_mmproj_there_is_no_vision(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    flags = ("-m", tiny_model.model, *program.known(*PROMPT_FLAGS), "-np", "1", "-c", "2048")
    with ServerProcess(program, *flags, log_path=tmp_path / "log") as server:
        vision = server.get("/props").json()["modalities"]["vision"]
        error = server.chat(jpeg("red")).json()["error"]

    assert vision is False
    assert error["code"] == 500
    assert "mmproj" in error["message"]


@pytest.mark.parametrize("missing", ["model", "mmproj"])
def test_missing_file_ends_the_start_with_a_reason_in_the_log(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path, missing: str
) -> None:
    nowhere = tmp_path / "nowhere.gguf"
    pair = TinyModel(
        nowhere if missing == "model" else tiny_model.model,
        nowhere if missing == "mmproj" else tiny_model.mmproj,
    )
    code = code_of_failed_start(
        lambda: start(program, pair, tmp_path / "log"), "failed to open GGUF file"
    )

    assert code == 1


def test_port_of_somebody_else_ends_the_start(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = code_of_failed_start(
            lambda: start(program, tiny_model, tmp_path / "log", "--port", port),
            "couldn't bind HTTP server socket",
        )

    assert code == 1


def test_health_is_refused_or_503_until_the_model_is_loaded(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    seen: list[int] = []
    with start(program, tiny_model, tmp_path / "log", "--port", port) as server:
        deadline_s = time.monotonic() + PATIENCE_S
        while 200 not in seen and time.monotonic() < deadline_s:
            try:
                url = f"http://127.0.0.1:{port}/health"
                reply = requests.get(url, timeout=PATIENCE_S, **ways_to(url))
                seen.append(reply.status_code)
            except requests.ConnectionError:
                time.sleep(0.005)

        assert set(seen) <= {503, 200}
        assert seen[-1] == 200
        assert server.url.endswith(f":{port}")


def test_sigterm_ends_an_idle_server_in_order(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    with start(program, tiny_model, tmp_path / "log") as server:
        server.chat(jpeg("red"), grammar=GRAMMAR)

        assert server.stop() == 0


@pytest.mark.parametrize("client", ["leaves", "stays"])
def test_sigterm_waits_for_the_client_and_the_second_does_not(
    program: ServerProgram, tiny_model: TinyModel, tmp_path: Path, client: str
) -> None:
    body = json.dumps(chat_body(jpeg("red"), max_tokens=1200, ignore_eos=True)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ServerProcess(
        program,
        *("-m", tiny_model.model, "--mmproj", tiny_model.mmproj),
        *program.known(*PROMPT_FLAGS),
        *("-np", "1", "-c", "2048"),
        log_path=tmp_path / "log",
        environment={"CINECUT_MOCK_FRAME_S": "60"},
    ) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.sendall(head.encode() + body)
            server.wait_for_log("processing task")
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_log("cleaning up before exit")

            # The earliest builds abort over their own threads at the first one already.
            aborted = {-signal.SIGABRT} if program.is_early else set[int]()
            assert server.process.poll() in {None, *aborted}
            if client == "stays":
                server.process.send_signal(signal.SIGTERM)
                # In a hurry, later ones sometimes do.
                assert server.wait() in {1, -signal.SIGABRT}
        if client == "leaves":
            assert server.wait() in {0, *aborted}
