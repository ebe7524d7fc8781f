"""Models that think are described with: held from it, or, where the user wants it, allowed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from families.family import Family
from families.llava import LLAVA
from families.thoughts import ALWAYS, ASKED, BUDGETED, ENDLESSLY, THOUGHT, THOUGHTFUL, UNLESS_TOLD
from families.trial import jpeg
from server_process import ServerProgram

from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.inference.asking import ask_server
from cinecut.inference.question.prompt import make_prompt
from cinecut.inference.question.thinking import Thinking, thinking_of
from cinecut.inference.server.rehearsal import render

by_name = {"ids": lambda value: value.name if isinstance(value, Family) else str(value)}


@pytest.fixture
def start(
    llama_server: ServerProgram, tmp_path: Path
) -> Callable[[Family, bool, list[str]], LlavaEngine]:
    def new_engine(family: Family, thinks: bool, notices: list[str]) -> LlavaEngine:
        pair = family.write(tmp_path)
        return LlavaEngine(
            pair.model,
            pair.mmproj,
            llama_server=llama_server.path,
            device="cpu",
            slots=1,
            prompt=make_prompt(thinks=thinks),
            on_notice=notices.append,
        )

    return new_engine


@contextmanager
def _replies() -> Iterator[list[dict[str, Any]]]:
    """Collect what the server says, and what was asked."""
    seen: list[dict[str, Any]] = []

    def ask(url: str, key: str | None, body: dict[str, Any], **more: Any) -> Any:
        reply = ask_server(url, key, body, **more)
        seen.append(reply["choices"][0])
        return reply

    with patch("cinecut.inference.question.chat.ask_server", ask):
        yield seen


@pytest.mark.server
@pytest.mark.parametrize(
    ("family", "prompt_ends_in", "untold"),
    [  # the last in the first builds, which tell a template nothing
        (ALWAYS, "<think>\n", "<think>\n"),
        (ENDLESSLY, "<think>\n", "<think>\n"),
        (UNLESS_TOLD, "</think>\n\n", "<think>\n"),
        (ASKED, "[/INST]", "[/INST]"),
        (BUDGETED, "<seed:think></seed:think>", "assistant\n"),
    ],
    **by_name,
)
def test_who_thinks_is_held_from_it(
    family: Family,
    prompt_ends_in: str,
    untold: str,
    start: Callable[..., LlavaEngine],
    llama_server: ServerProgram,
) -> None:
    with start(family, False, []) as engine, _replies() as replies:
        assert engine.server is not None
        rendered = render(engine.server.ask, engine.prompt)
        outcome = engine.describe(jpeg((64, 48)), 60)

    assert rendered is not None
    assert rendered.endswith(untold if llama_server.is_early else prompt_ends_in)
    assert isinstance(outcome, SceneDescription)
    assert THOUGHT not in str(replies)
    assert replies


@pytest.mark.server
@pytest.mark.parametrize("family", [f for f in THOUGHTFUL if f is not ENDLESSLY], **by_name)
def test_who_may_think_does_and_then_describes(
    family: Family, start: Callable[..., LlavaEngine]
) -> None:
    notices: list[str] = []
    with start(family, True, notices) as engine, _replies() as replies:
        assert engine.plan is not None
        context = engine.plan.context_per_slot
        outcome = engine.describe(jpeg((64, 48)), 60)

    assert isinstance(outcome, SceneDescription)
    for reply in replies:  # a second one where the first repeats itself
        assert reply["finish_reason"] == "stop"
        thought, found, answer = reply["message"]["content"].partition("{")
        assert found
        assert thought.strip()
        assert THOUGHT not in answer
    assert context > 3000
    assert notices == []


@pytest.mark.server
def test_endless_thoughts_come_to_an_end(start: Callable[..., LlavaEngine]) -> None:
    with start(ENDLESSLY, True, []) as engine:
        outcome = engine.describe(jpeg((64, 48)), 120)

    assert isinstance(outcome, SceneDescription)


@pytest.mark.server
def test_who_cannot_think_says_so_and_describes(start: Callable[..., LlavaEngine]) -> None:
    notices: list[str] = []
    with start(LLAVA, True, notices) as engine:
        outcome = engine.describe(jpeg((64, 48)), 60)

    assert isinstance(outcome, SceneDescription)
    assert notices == ["This model does not think, as far as its chat template tells."]


@pytest.mark.parametrize(
    ("template", "rendered", "thinking"),
    [
        ("", "USER: Hello\nASSISTANT:", None),
        ("", "<|im_start|>assistant\n<think>\n", Thinking("<think>", "</think>", is_begun=True)),
        ("", "assistant\n<think>\n\n</think>\n\n", None),
        ("{<think> and </think>}", "assistant\n", Thinking("<think>", "</think>")),
        (
            "",
            "<|start|>user<|message|>Hello<|end|><|start|>assistant",
            Thinking("<|start|>assistant", "<|channel|>final<|message|>", is_begun=True),
        ),
        (
            "<|START_TEXT|>",
            "<|CHATBOT_TOKEN|><|START_THINKING|>",
            Thinking("<|START_THINKING|>", "<|END_THINKING|><|START_TEXT|>", is_begun=True),
        ),
        (
            "",
            "<|CHATBOT_TOKEN|><|START_THINKING|>",
            Thinking("<|START_THINKING|>", "<|END_THINKING|>", is_begun=True),
        ),
        ("[THINK] [/THINK]", "x[/INST]", Thinking("[THINK]", "[/THINK]")),
        (
            "",
            "<|begin_assistant|>\nHere are my reasoning steps:\n",
            Thinking("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]", is_begun=True),
        ),
        ("", "Say <think> and then what.\nassistant\n", None),
        (
            "",
            "<|turn>model\n<|channel>thought\n",
            Thinking("<|channel>thought", "<channel|>", is_begun=True),
        ),
    ],
)
def test_the_end_of_the_prompt_tells_whether_a_thought_is_begun(
    template: str, rendered: str, thinking: Thinking | None
) -> None:
    assert thinking_of(template, rendered) == thinking
