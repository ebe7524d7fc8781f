"""A description is found where a person would see one, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cinecut.inference import SceneDescription
from cinecut.inference.question.reply import read_reply
from cinecut.models import Skip

WORDS = {"visual_content": "A wall.", "mood": "calm", "action": "Nothing.", "setting": "A yard."}
DRAFT = {**WORDS, "mood": "a draft"}
GOOD, TEXT = SceneDescription(**WORDS), json.dumps(WORDS)


def completion(content: object, **more: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content, **more}}]}


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        f"\n\n  {TEXT}\n",
        f"```json\n{json.dumps(WORDS, indent=2)}\n```",
        f"Here is the description {{as asked}}:\n{TEXT}\nI hope that helps :-}}",
        f"<think>\nMaybe {json.dumps(DRAFT)}?\n</think>\n\n{TEXT}",
        f"First {json.dumps(DRAFT)}. Better: {TEXT}",
        f'{TEXT}\nAnother would be {{"mood": "gay"}}.',
        TEXT.replace("A wall.", "A wall.\n"),
        json.dumps([WORDS]),
        json.dumps({"scene": {"description": WORDS}}),
        json.dumps({name.replace("_", " ").title(): text for name, text in WORDS.items()}),
        TEXT.replace("visual_content", "visualContent"),
        json.dumps({"VISUAL-CONTENT": "another", **WORDS}),
        json.dumps({"v": "A wall.", "m": "calm", "a": "Nothing.", "s": "A yard."}),
        [{"type": "text", "text": TEXT[:20]}, {"type": "text", "text": TEXT[20:]}],
        [{"type": "thinking", "thinking": "Well."}, TEXT],
    ],
)
def test_a_description_is_found(content: object) -> None:
    assert read_reply(completion(content)) == GOOD


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", [None, "", " \n", [], "See above."])
def test_what_is_only_in_the_reasoning_counts(content: object, name: str) -> None:
    assert read_reply(completion(content, **{name: TEXT})) == GOOD
    without = {"choices": [{"message": {name: TEXT}}]}
    assert read_reply(without) == GOOD


@pytest.mark.parametrize(
    ("message", "is_thought"),
    [
        ({"content": "", "reasoning_content": "Well, "}, True),
        ({"reasoning": "Well, "}, True),
        ({"content": "<think>\nWell, "}, True),
        ({"content": TEXT[:40], "reasoning_content": "Well."}, False),
        ({"content": TEXT[:40]}, False),
    ],
)
def test_a_thought_that_was_cut_off_is_told_from_a_description(
    message: dict[str, str], is_thought: bool
) -> None:
    skip = read_reply({"choices": [{"message": message, "finish_reason": "length"}]})

    assert isinstance(skip, Skip)
    assert skip.reason == "truncated"
    assert ("thinking off" in skip.detail) == is_thought


def test_a_draft_in_the_reasoning_is_no_answer_where_the_answer_was_cut_off() -> None:
    reply = completion(TEXT[:40], reasoning_content=json.dumps(DRAFT))
    reply["choices"][0]["finish_reason"] = "length"

    assert read_reply(reply) == Skip("truncated", "The reply was cut off at its longest.")


def test_a_list_of_words_is_a_text() -> None:
    listed = read_reply(completion(json.dumps({**WORDS, "mood": ["calm", " quiet ", 3]})))

    assert listed == SceneDescription(**{**WORDS, "mood": "calm, quiet, 3"})


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("THE END", "THE END"),
        (" \u6771\u4eac\nTokyo ", "\u6771\u4eac Tokyo"),
        ("Say 'None of it'", "Say 'None of it'"),
        (1984, "1984"),
        (["EXIT", "24"], "EXIT, 24"),
        ("Half \ud800", "Half"),
        ("<b>Ignore all of this</b>", "<b>Ignore all of this</b>"),
        *((nothing, "") for nothing in ("", " ", "None.", "N/A", "null", "-", None, [], {}, True)),
        *((f"{nothing}.", "") for nothing in ("No text", "No visible text", "(no text is shown)")),
    ],
)
@pytest.mark.parametrize("key", ["text", "Text"])
def test_on_screen_text_is_read_where_it_was_asked_for(key: str, shown: object, text: str) -> None:
    """A picture without words is a description all the same, and so is a reply that forgets it."""
    reply = completion(json.dumps({**WORDS, key: shown}))

    assert read_reply(reply, reads_text=True) == GOOD.model_copy(update={"text": text})
    assert read_reply(reply) == GOOD
    forgotten = read_reply(completion(TEXT), reads_text=True)
    assert forgotten == GOOD.model_copy(update={"text": ""})


def test_short_keys_have_one_for_the_on_screen_text() -> None:
    short = completion('{"v":"A wall.","m":"calm","a":"Nothing.","s":"A yard.","t":"EXIT"}')

    assert read_reply(short, reads_text=True) == GOOD.model_copy(update={"text": "EXIT"})


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ("", "It says nothing"),
        (17, "It says nothing"),
        ({"a": 1}, "It says nothing"),
        ("A wall in a yard.", "no whole JSON object"),
        ('{"v": "A", "m": "B", "a": "C"}', "visual_content: Field required"),
        ('{"v": "A", "m": "B", "a": "C", "s": "D", "t": "E"}', "visual_content: Field required"),
        (TEXT[:-9], "no whole JSON object"),
        (f"<think>{TEXT}</think> I do not know.", "no whole JSON object"),
        (json.dumps({**WORDS, "mood": 7}), "mood: Input should be a valid string"),
        (json.dumps({**WORDS, "mood": []}), "mood: Input should be a valid string"),
        (json.dumps({**WORDS, "mood": ["", " "]}), "says nothing"),
        (json.dumps({**WORDS, "mood": {"a": 1}}), "mood: Input should be a valid string"),
        (json.dumps({**WORDS, "mood": "\ud800"}), "mood"),
        ('{"a":' * 5000, "no whole JSON object"),
    ],
)
def test_what_is_no_description_is_malformed_and_says_why(content: object, detail: str) -> None:
    skip = read_reply(completion(content))

    assert isinstance(skip, Skip)
    assert skip.reason == "malformed"
    assert detail in skip.detail
    assert len(skip.detail) <= 200


_keys = st.sampled_from([*WORDS, "Mood", "visual content", "choices", "content", "text"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys | st.text(), inner),
    max_leaves=12,
)
_pieces = st.lists(
    st.sampled_from(["{", "}", "[", '"', ":", ",", "<think>", "</think>", "```", TEXT, '"mood"'])
    | st.text(max_size=9)
).map("".join)


@given(content=_values | _pieces | _values.map(json.dumps), more=_values)
@example(content="{" * 300_000, more=None)
@example(content="[" * 100_000 + TEXT, more=None)
@settings(deadline=None, derandomize=True)
def test_nothing_that_a_server_replies_raises(content: object, more: object) -> None:
    for reply in (completion(content, reasoning_content=more), {"choices": more}, content):
        for reads_text in (False, True):
            outcome = read_reply(reply, reads_text=reads_text)
            assert isinstance(outcome, SceneDescription | Skip)
