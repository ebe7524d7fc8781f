"""A text that its bound cut off ends where a person would end it, and is otherwise left alone."""

# ruff: noqa: RUF001 - marks of other scripts are what it is about

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import pytest
from clips import BIKES, write_frames
from hypothesis import given
from hypothesis import strategies as st
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.inference.asking import ask_server
from cinecut.inference.models import BOUNDS, FIELDS
from cinecut.inference.question.ending import end_properly, ends_a_sentence, sentences
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.question.reply import read_reply

REPLIES = int(os.environ.get("CINECUT_TEST_REPLIES", "40"))
LOW = {"visual_content": 60, "mood": 20, "action": 40, "setting": 30}


@pytest.mark.parametrize(
    ("cut", "ended"),
    [
        ("A man walks along the pier. He has a red umb", "A man walks along the pier."),
        (
            "A man. Behind him a row of boats is at anch",
            "A man. Behind him a row of boats is at…",
        ),
        ("He sees Mr. Jones, Mrs. Hall and Dr. Smi", "He sees Mr. Jones, Mrs. Hall and Dr.…"),
        ("It is 3.5 metres wide, e.g. as a roo", "It is 3.5 metres wide, e.g. as a…"),
        ("A red car, a blue car, ", "A red car, a blue car…"),
        ("A red car, a blue ", "A red car, a blue…"),
        ("A red car (in the ", "A red car (in the…"),
        ("A red car (", "A red car…"),
        ("He says: \u201cLet us go!\u201d Then he le", "He says: \u201cLet us go!\u201d"),
        ("Ein Bahnhofsvor", "Ein…"),
        ("Donaudampfschiff", "Donaudampfschif…"),
        ("一个男人站在码头上。他拿着雨", "一个男人站在码头上。"),
        ("一个男人，拿着红色的雨伞，在等", "一个男人，拿着红色的雨伞…"),
        ("一个男人站在码头", "一个男人站在码…"),
        ("一辆红色的BM", "一辆红色的…"),
        ("彼は港にいる。雨が", "彼は港にいる。"),
        ("ชายคนหนึ่ง เขาถือร่ม", "ชายคนหนึ่ง…"),
        ("ชายถือร่มแล", "ชายถือร่ม…"),
        ("한 남자가 서 있다. 그는 빨", "한 남자가 서 있다."),
        ("رجل على الرصيف؟ ويح", "رجل على الرصيف؟"),
    ],
)
def test_a_text_ends_at_a_sentence_or_at_a_word(cut: str, ended: str) -> None:
    assert end_properly(cut) == ended


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A dog.", ["A dog."]),
        (" A dog. A gull, e.g. a white one ", ["A dog.", "A gull, e.g. a white one"]),
        ("He sees Mr. Jones. “Let us go!” Rain", ["He sees Mr. Jones.", "“Let us go!”", "Rain"]),
        ("彼は港にいる。雨が", ["彼は港にいる。", "雨が"]),
    ],
)
def test_a_text_is_told_apart_into_sentences(text: str, told: list[str]) -> None:
    assert sentences(text) == told


@given(
    words=st.lists(st.text("abcdeXYZéд", min_size=1, max_size=9), min_size=2, max_size=30),
    marks=st.lists(st.sampled_from(["", "", "", ".", ",", "!", ";"]), min_size=30, max_size=30),
    share=st.floats(0.1, 1),
)
def test_no_word_is_halved(words: list[str], marks: list[str], share: float) -> None:
    whole = " ".join(word + mark for word, mark in zip(words, marks, strict=False))
    cut = whole[: max(len(words[0]) + 2, round(share * len(whole)))]
    ended = end_properly(cut)

    assert len(ended) <= len(cut) + 1
    kept = ended.removesuffix("…")
    assert cut.startswith(kept)
    assert not cut[len(kept) : len(kept) + 1].isalpha()
    assert kept != ended or len(ended) > len(cut) // 2, "little is left"


@pytest.mark.parametrize(
    "text", ["A man.", "He asks: “Why?”", "一个男人。", "「待って！」", "Well…", "(A yard.)"]
)
def test_a_sentence_is_told_by_its_end(text: str) -> None:
    assert ends_a_sentence(text)
    assert not ends_a_sentence(text + " Then")


def test_only_what_is_exactly_as_long_as_its_bound_was_cut_off() -> None:
    """A longer text comes from a server that knows no bounds: it is whole."""
    words = " ".join("".join(random.Random(n).choices("abcdefgh", k=6)) for n in range(99))
    bound = BOUNDS["visual_content"]
    for length in (bound - 1, bound + 1, len(words)):
        assert read(visual_content=words[:length]) == described(visual_content=words[:length])
    sentence = words[: bound - 1] + "."
    assert read(visual_content=sentence) == described(visual_content=sentence)

    cut = read(visual_content=words[:bound], setting=words[: BOUNDS["setting"]])
    assert cut.shortened == ("visual_content", "setting")
    assert cut.visual_content.endswith("…")
    assert cut.mood == "calm"
    assert "shortened" not in cut.model_dump()


def read(**texts: str) -> SceneDescription:
    content = json.dumps({**dict.fromkeys(FIELDS, "calm"), **texts})
    found = read_reply({"choices": [{"message": {"content": content}}]})
    assert isinstance(found, SceneDescription)
    return found


def described(**texts: str) -> SceneDescription:
    return SceneDescription(**{**dict.fromkeys(FIELDS, "calm"), **texts})


@pytest.mark.server
def test_what_a_random_model_says_under_low_bounds_ends_in_no_half_word(
    llama_server: ServerProgram,
    tiny_model: TinyModel,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """CINECUT_TEST_REPLIES asks for more replies than the suite has time for."""
    for name, bound in LOW.items():
        monkeypatch.setitem(BOUNDS, name, bound)
    pictures = [path.read_bytes() for path in write_frames(BIKES, tmp_path_factory.mktemp("f"), 25)]
    cut = 0
    with LlavaEngine(
        *(tiny_model.model, tiny_model.mmproj),
        llama_server=llama_server.path,
        device="cpu",
        slots=1,
    ) as engine:
        assert engine.server is not None
        url, key = f"{engine.base_url}/v1/chat/completions", engine.server.api_key
        for number in range(REPLIES):
            picture = pictures[number // 20 % len(pictures)]  # in a row: the slot still has it
            body = Prompt().body(picture, seed=number, model=None)
            reply = ask_server(url, key, {**body, "temperature": 1.5}, timeout_s=60)
            cut += check(reply)
    assert cut > REPLIES / 4, "the bounds were not met"


def check(reply: Any) -> int:
    """Hold each text to the model's own; return how many were cut off."""
    description = read_reply(reply)
    assert isinstance(description, SceneDescription), description
    said = json.loads(reply["choices"][0]["message"]["content"]).values()
    for raw, (name, kept) in zip(said, description.model_dump().items(), strict=True):
        assert len(raw) <= LOW[name]
        if name not in description.shortened:
            assert kept == raw.strip()
            assert len(raw) < LOW[name] or ends_a_sentence(kept)
        elif re.search(r"\s", raw):
            words = kept.removesuffix("…")
            assert raw.startswith(words)
            assert re.match(r"\W|\Z", raw[len(words) :]), (raw, kept)
            assert kept != words or ends_a_sentence(kept)
    return len(description.shortened)
