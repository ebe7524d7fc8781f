"""A model with a short context is used as far as it goes, by what the server counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from families.llava import LLAVA
from families.mistral import MISTRAL_SMALL
from families.qwen import QWEN25VL
from families.trial import jpeg
from server_process import ServerProgram

from cinecut.errors import InferenceError
from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.inference.question.prompt import make_prompt
from cinecut.inference.server.program import find_llama_server

pytestmark = pytest.mark.server


def new_engine(program: ServerProgram, folder: Path, context: int) -> LlavaEngine:
    pair = replace(LLAVA, text=replace(LLAVA.text, context=context)).write(folder)
    return LlavaEngine(pair.model, pair.mmproj, llama_server=program.path, device="cpu", slots=1)


def test_a_context_below_the_plan_is_enough_if_the_prompt_fits(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    with new_engine(llama_server, tmp_path, 1500) as engine:
        assert engine.plan is not None
        assert engine.plan.context_per_slot > 1500
        assert isinstance(engine.describe(jpeg((640, 360)), 60), SceneDescription)


def test_a_context_that_is_too_short_is_told_with_what_is_needed(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    if find_llama_server(llama_server.path).is_early:
        pytest.skip("early builds give a slot more than the model was made for")
    with (
        pytest.raises(InferenceError, match=r"a context of 1024 .* needs 1\d{3}:"),
        new_engine(llama_server, tmp_path, 1024),
    ):
        pass


def test_a_context_too_short_for_several_pictures_is_told_with_what_helps(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    if find_llama_server(llama_server.path).is_early:
        pytest.skip("early builds give a slot more than the model was made for")
    pair = replace(QWEN25VL, text=replace(QWEN25VL.text, context=3072)).write(tmp_path)
    settings = {"llama_server": llama_server.path, "device": "cpu", "slots": 1}
    with (
        pytest.raises(InferenceError, match=r"question of 4 pictures with its reply needs") as told,
        LlavaEngine(pair.model, pair.mmproj, **settings, prompt=make_prompt(moments=4)),
    ):
        pass
    assert "--moments" in str(told.value)


def test_a_template_with_much_text_of_its_own_gets_room_for_it(
    llama_server: ServerProgram, tmp_path: Path
) -> None:
    """The default system prompt is known when the server has rendered it: a second start."""
    pair = MISTRAL_SMALL.write(tmp_path)
    engine = LlavaEngine(
        pair.model, pair.mmproj, llama_server=llama_server.path, device="cpu", slots=1
    )
    with engine:
        log = engine.server.log_path.read_text(errors="replace") if engine.server else ""
        outcome = engine.describe(jpeg((640, 360)), 60)

    assert isinstance(outcome, SceneDescription)
    assert log.count("listening on") == 2
