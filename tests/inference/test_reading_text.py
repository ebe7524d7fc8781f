"""On-screen text is asked for as a fifth field, of a real server that keeps to its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from families.trial import jpeg
from server_process import ServerProgram
from tiny_llava import SHORT_REPLIES, write_pair

from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.inference.asking import ask_server
from cinecut.inference.models import BOUNDS, FIELDS
from cinecut.inference.question.prompt import Prompt, make_prompt
from cinecut.inference.question.reply import read_reply

ENDLESS = -20.0
"""How unlikely it is that a field ends before its bound."""
REPLIES = 4


def test_a_prompt_that_does_not_ask_for_it_is_as_it_was() -> None:
    reading = make_prompt(reads_text=True)

    assert make_prompt() == Prompt()
    assert reading.instruction.startswith(Prompt().instruction)
    assert reading.has_short_keys
    assert reading.context_tokens(576) == 2048, "a slot of LLaVA-1.5 holds it"
    own = make_prompt("Describe it", "German", reads_text=True)
    assert own.instruction.startswith("Describe it Write in German. Then text:")


@pytest.mark.server
@pytest.mark.parametrize("quote_bias", [SHORT_REPLIES, ENDLESS], ids=["short", "endless"])
def test_every_reply_of_a_real_server_is_whole(
    quote_bias: float, llama_server: ServerProgram, tmp_path: Path
) -> None:
    """Of a model of random weights that finds no words, and of one that never comes to an end."""
    pair = write_pair(tmp_path, quote_bias)
    prompt = make_prompt(reads_text=True)
    settings = {"llama_server": llama_server.path, "device": "cpu", "slots": 1, "prompt": prompt}
    with LlavaEngine(pair.model, pair.mmproj, **settings) as engine:
        assert engine.server is not None
        assert isinstance(engine.describe(jpeg((640, 360)), 60), SceneDescription)
        url, key = f"{engine.base_url}/v1/chat/completions", engine.server.api_key
        hot = {"temperature": 1.5} if quote_bias == ENDLESS else {}
        bodies = [
            {**engine.prompt.body(jpeg((640, 360)), seed, None), **hot} for seed in range(REPLIES)
        ]
        replies = [ask_server(url, key, body, timeout_s=60) for body in bodies]

    lengths = [len(check(reply)) for reply in replies]
    assert lengths == [BOUNDS["text"] if quote_bias == ENDLESS else 0] * REPLIES


def check(reply: dict[str, Any]) -> str:
    """Hold a reply to its form; return the on-screen text that stands in it."""
    [choice] = reply["choices"]
    assert choice["finish_reason"] == "stop"
    fields = json.loads(choice["message"]["content"])
    assert [*fields] == [*"vmas", "t"]
    description = read_reply(reply, reads_text=True)
    assert isinstance(description, SceneDescription)
    assert [*description.model_dump()] == [*FIELDS, "text"]
    return str(fields["t"])
