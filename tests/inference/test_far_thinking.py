"""Models that think behind servers of any make: held from it wherever the server takes the word."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import command
import far_server
import pytest
from clips import BIKES
from families.qwen3 import QWEN3_5
from families.thoughts import THOUGHT
from families.trial import jpeg
from far_server import Answer, Body, FarServer, completion, describe, refuse, think_unless_told
from server_process import ServerProcess, ServerProgram

from cinecut.errors import InferenceError
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.prompt import make_prompt
from cinecut.models import Skip

PICTURE = jpeg((64, 48))
OPENAI = {"error": {"message": "Unrecognized request argument: chat_template_kwargs"}}
PYDANTIC = {"detail": [{"type": "extra_forbidden", "loc": ["body", "chat_template_kwargs"]}]}
MISTRAL = {"object": "error", "message": "chat_template is not supported for Mistral tokenizers."}
UNNAMED = {"error": {"message": "There is an argument that nobody knows."}}
BUSY = {"error": {"message": "Come back later."}}


@contextmanager
def attached(
    answer: Callable[[Body], Answer], *, thinks: bool = False
) -> Iterator[tuple[AttachedEngine, FarServer, list[str]]]:
    notices: list[str] = []
    prompt = make_prompt(thinks=thinks)
    with (
        FarServer(answer) as server,
        AttachedEngine(server.url, prompt=prompt, on_notice=notices.append) as engine,
    ):
        yield engine, server, notices


@pytest.mark.parametrize("answer", [think_unless_told, describe])
def test_what_takes_the_word_or_passes_over_it_gets_it_each_time(
    answer: Callable[[Body], Answer],
) -> None:
    with attached(answer) as (engine, server, notices):
        outcomes = [engine.describe(PICTURE), engine.describe(PICTURE)]

    assert outcomes == [SceneDescription(**far_server.DESCRIPTION)] * 2
    probe, *pictures = server.asked
    assert probe["max_tokens"] == 1
    assert probe not in server.pictures
    assert len(pictures) == len(server.pictures) == 2
    for body in server.asked:
        assert body["chat_template_kwargs"]["enable_thinking"] is False
    assert notices == []


@pytest.mark.parametrize(
    ("status", "said", "probes"),
    [(400, OPENAI, 1), (422, PYDANTIC, 1), (400, MISTRAL, 1), (400, UNNAMED, 2), (500, UNNAMED, 2)],
)
def test_what_refuses_the_word_is_asked_without(status: int, said: Body, probes: int) -> None:
    with attached(refuse(status, said)) as (engine, server, notices):
        outcomes = [engine.describe(PICTURE), engine.describe(PICTURE)]

    assert outcomes == [SceneDescription(**far_server.DESCRIPTION)] * 2
    assert len(server.asked) == probes + 2
    assert not any("chat_template_kwargs" in body for body in server.pictures)
    assert notices == []


def test_what_fails_for_another_reason_is_not_blamed_on_the_word() -> None:
    def answer(body: Body) -> Answer:
        has_picture = "image_url" in json.dumps(body)
        return think_unless_told(body) if has_picture else (400, UNNAMED)

    with attached(answer) as (engine, server, _):
        outcome = engine.describe(PICTURE)

    assert isinstance(outcome, SceneDescription)
    assert all("chat_template_kwargs" in body for body in server.pictures)


def test_a_server_that_is_busy_is_asked_again() -> None:
    busy = iter([429, 503])

    def answer(body: Body) -> Answer:
        status = next(busy, None)
        return (status, BUSY) if status else think_unless_told(body)

    with attached(answer) as (engine, server, _):
        assert isinstance(engine.describe(PICTURE), SceneDescription)

    assert len(server.asked) == 4


def test_a_server_that_begins_to_work_has_taken_the_word_and_is_not_waited_for() -> None:
    is_over = threading.Event()

    def answer(body: Body) -> Answer:
        if body["max_tokens"] == 1:  # the model is being loaded
            is_over.wait(command.PATIENCE_S)
        return think_unless_told(body)

    with (
        patch("cinecut.inference.question.acceptance._TIMEOUT_S", 0.2),
        attached(answer) as (engine, server, _),
    ):
        assert isinstance(engine.describe(PICTURE), SceneDescription)
        is_over.set()

    assert len(server.asked) == 2


def test_a_key_that_chat_completions_refuse_is_told_before_the_run() -> None:
    with pytest.raises(InferenceError, match="API key"), attached(lambda _: (401, {})):
        pass


def test_who_may_think_is_told_so_and_where_that_is_refused_it_is_said_once() -> None:
    with attached(describe, thinks=True) as (engine, server, notices):
        engine.describe(PICTURE)
    assert server.pictures[0]["chat_template_kwargs"]["enable_thinking"] is True
    assert notices == []

    with attached(refuse(400, OPENAI), thinks=True) as (engine, _, notices):
        assert isinstance(engine.describe(PICTURE), SceneDescription)
        engine.describe(PICTURE)
    assert len(notices) == 1
    assert "--think" in notices[0]


def test_who_thinks_behind_a_server_that_takes_no_word_is_told_of_in_the_skip() -> None:
    with attached(refuse(400, OPENAI, otherwise=think_unless_told)) as (engine, *_):
        outcome = engine.describe(PICTURE)

    assert isinstance(outcome, Skip)
    assert outcome.reason == "truncated"
    assert "thinking off" in outcome.detail


@pytest.mark.parametrize("place", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": "\n\n"}])
def test_a_description_among_the_thoughts_counts(place: str, content: Body) -> None:
    message = {**content, place: json.dumps(far_server.DESCRIPTION)}
    with attached(lambda _: completion(**message)) as (engine, *_):
        assert engine.describe(PICTURE) == SceneDescription(**far_server.DESCRIPTION)


def test_a_film_is_described_by_the_command(tmp_path: Path) -> None:
    film = shutil.copy(BIKES, tmp_path)
    with FarServer(think_unless_told) as server:
        done = command.run("describe", film, "--server-url", server.url)

    assert done.returncode == 0, done.stderr
    _, scenes = command.read_journal(tmp_path / "bikes.mp4.cinecut")
    assert scenes
    assert all(scene["description"] == far_server.DESCRIPTION for scene in scenes)


@pytest.mark.server
def test_a_real_qwen_is_held_from_thinking_by_the_boolean_alone(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    """With the schema, not the grammar: a llama-server that is taken for one of another make."""
    if llama_server.is_early:
        pytest.skip("it tells a template nothing")
    pair = QWEN3_5.write(tmp_path)
    files = ["-m", pair.model, "--mmproj", pair.mmproj, "--jinja", "-np", "1", "-c", "4096"]
    with ServerProcess(llama_server, *files, "--device", "none", log_path=tmp_path / "log") as real:
        replies: list[Any] = []

        def forward(body: Body) -> Answer:
            reply = real.post("/v1/chat/completions", body)
            replies.append(reply.json())
            return reply.status_code, reply.json()

        with attached(forward) as (engine, server, _):
            outcome = engine.describe(PICTURE)
            asked = server.pictures[-1]

        assert isinstance(outcome, SceneDescription)
        assert "response_format" in asked
        assert THOUGHT.strip() not in str(replies)

        forward({**asked, "chat_template_kwargs": {}})
        assert THOUGHT.strip() in str(replies[-1])
        status, _ = forward({**asked, "chat_template_kwargs": {"enable_thinking": "false"}})
        assert status == 400 or THOUGHT.strip() in str(replies[-1])
