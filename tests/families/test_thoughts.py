"""The models that think do it in a real server as their kind does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from server_process import ServerProcess, ServerProgram

from families.family import Family
from families.thoughts import (
    ALWAYS,
    ASKED,
    BUDGETED,
    ENDLESSLY,
    THOUGHT,
    THOUGHTFUL,
    UNLESS_TOLD,
)
from families.trial import jpeg

pytestmark = pytest.mark.server

_PICTURE = jpeg((64, 48))


@pytest.fixture(scope="module")
def servers(
    llama_server: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, ServerProcess]]:
    """A server for each kind, all started at once."""
    with ExitStack() as stack:
        started = {}
        for family in THOUGHTFUL:
            folder = tmp_path_factory.mktemp("thoughts")
            pair = family.write(folder)
            server = ServerProcess(
                llama_server,
                *("--model", pair.model, "--mmproj", pair.mmproj, "--device", "none"),
                *("--parallel", "1", "--ctx-size", "2048"),
                log_path=folder / "log",
            )
            started[family.name] = stack.enter_context(server)
        yield started


@pytest.mark.parametrize(
    ("family", "told", "thinks"),
    [
        (ALWAYS, {}, True),
        (ALWAYS, {"enable_thinking": False}, True),
        (UNLESS_TOLD, {}, True),
        (UNLESS_TOLD, {"enable_thinking": False}, False),
        (ASKED, {}, True),
        (ASKED, {"enable_thinking": False}, True),
        (BUDGETED, {}, True),
        (BUDGETED, {"thinking_budget": 0}, False),
    ],
    ids=lambda value: value.name if isinstance(value, Family) else str(value),
)
def test_model_thinks_and_then_answers(
    family: Family, told: dict[str, Any], thinks: bool, servers: dict[str, ServerProcess]
) -> None:
    message = _ask(servers[family.name], told)

    thoughts = message.get("reasoning_content") or ""
    assert (thoughts.strip() == THOUGHT.strip()) == thinks
    assert message["content"]
    assert THOUGHT not in message["content"]


def test_endless_thoughts_leave_no_answer(servers: dict[str, ServerProcess]) -> None:
    message = _ask(servers[ENDLESSLY.name], {})

    assert THOUGHT in message["reasoning_content"]
    assert not message["content"]


def _ask(server: ServerProcess, told: dict[str, Any]) -> dict[str, Any]:
    reply = server.chat(_PICTURE, max_tokens=20, chat_template_kwargs=told)
    message: dict[str, Any] = reply.json()["choices"][0]["message"]
    return message
