"""Every reply that the grammar allows is a description, and fits into the tokens asked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinecut.inference.models import (
    BOUNDS,
    FIELDS,
    SHORT_KEYS,
    SceneDescription,
    gbnf_grammar,
    json_schema,
    longest_reply_bytes,
    reply_keys,
)
from cinecut.inference.question.prompt import Prompt, make_prompt
from cinecut.inference.question.reply import read_reply


def as_pattern(grammar: str) -> str:
    """Return a regular expression for the same strings.

    It knows what CineCut's grammar is made of: strings, classes, names, groups, ? and {m,n}.
    """
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    known = r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\w+|\{\d+,\d+\}|[()?]'
    tokens = re.findall(known, rules["root"])
    assert "".join(tokens) == rules["root"].replace(" ", ""), "a token that is not known"
    return "".join(
        re.escape(json.loads(token)) if token[0] == '"' else rules.get(token, token)
        for token in tokens
    )


def patterns(*, ascii_only: bool, reads_text: bool = False) -> tuple[str, str]:
    """Return a pattern for replies with short keys, and one for those with the fields' names."""
    short, full = (
        as_pattern(gbnf_grammar(ascii_only=ascii_only, short_keys=is_short, reads_text=reads_text))
        for is_short in (True, False)
    )
    return short, full


(ASCII_SHORT, ASCII), (ANY_SHORT, ANY) = patterns(ascii_only=True), patterns(ascii_only=False)
READING = [
    *patterns(ascii_only=True, reads_text=True),
    *patterns(ascii_only=False, reads_text=True),
]
RARE = r"\U00010000-\U0010FFFF"
assert all(pattern.count(RARE) == 2 for pattern in READING)
UP_TO_16_BITS = st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF)
ANY_CHARACTER = st.characters(exclude_categories=["Cs"])


@given(text=st.from_regex(ASCII_SHORT, fullmatch=True) | st.from_regex(ASCII, fullmatch=True))
@settings(deadline=None)
def test_an_ascii_reply_is_a_description(text: str) -> None:
    assert text.isascii()
    check(text, longest_bytes=longest_reply_bytes(ascii_only=True, short_keys='{"v"' in text))


@given(
    text=st.from_regex(ANY_SHORT, fullmatch=True, alphabet=ANY_CHARACTER)
    | st.from_regex(ANY, fullmatch=True, alphabet=ANY_CHARACTER)
)
@settings(deadline=None)
def test_a_reply_in_any_script_is_a_description(text: str) -> None:
    check(text, longest_bytes=longest_reply_bytes(ascii_only=False, short_keys='{"v"' in text))


def check(text: str, longest_bytes: int) -> None:
    description = read_reply({"choices": [{"message": {"content": text}}]})
    assert isinstance(description, SceneDescription)
    told = {SHORT_KEYS.get(key, key): value for key, value in json.loads(text).items()}
    assert list(told) == list(FIELDS)
    for name, value in description.model_dump().items():
        assert value
        assert name in description.shortened or value in told[name]
        assert len(told[name]) <= json_schema()["properties"][name]["maxLength"]
    assert len(text.encode()) <= longest_bytes


@given(
    text=st.one_of(
        # The class names a million characters, which would each be looked at: left out another way.
        st.from_regex(pattern.replace(RARE, ""), fullmatch=True, alphabet=UP_TO_16_BITS)
        for pattern in READING
    )
)
@settings(deadline=None)
def test_a_reply_with_on_screen_text_is_a_description(text: str) -> None:
    """Whatever the script: what stands in the picture is in its own language, or empty."""
    description = read_reply({"choices": [{"message": {"content": text}}]}, reads_text=True)

    assert isinstance(description, SceneDescription)
    told = [*json.loads(text).values()]
    assert len(told) == len(FIELDS) + 1
    assert description.text is not None
    assert len(told[-1]) <= BOUNDS["text"]
    assert not description.text or "text" in description.shortened or description.text in told[-1]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("short_keys", [True, False])
@pytest.mark.parametrize("reads_text", [True, False])
def test_the_longest_reply_is_as_long_as_it_is_said_to_be(
    ascii_only: bool, short_keys: bool, reads_text: bool
) -> None:
    chars = dict.fromkeys(FIELDS, "a" if ascii_only else "\N{GRINNING FACE}") | {"text": "\u6587"}
    bounds = json_schema(reads_text=reads_text)["properties"]
    keys = reply_keys(short_keys=short_keys, reads_text=reads_text)
    longest = json.dumps(
        {key: chars[name] * bounds[name]["maxLength"] for key, name in keys.items()},
        separators=(",", ":"),
        ensure_ascii=False,
    )

    pattern = patterns(ascii_only=ascii_only, reads_text=reads_text)[not short_keys]
    assert re.fullmatch(pattern, longest)
    assert len(longest.encode()) == longest_reply_bytes(
        ascii_only=ascii_only, short_keys=short_keys, reads_text=reads_text
    )
    prompt = make_prompt(None if short_keys else "Say what you see.", reads_text=reads_text)
    assert prompt.has_short_keys == short_keys
    assert replace(prompt, ascii_only=ascii_only).reply_tokens == len(longest.encode()) + 1


@pytest.mark.parametrize("space", ["\t", "\n", "\u00a0", "\u1680", "\u2003", "\u2028", "\u3000"])
def test_no_string_is_white_space_alone(space: str) -> None:
    reply = json.dumps(dict.fromkeys(FIELDS, space), separators=(",", ":"), ensure_ascii=False)

    assert not re.fullmatch(ANY, reply)


def test_the_keys_are_short_where_the_instruction_tells_what_is_wanted() -> None:
    """A model that is asked in a user's own words learns from the keys what each text is about."""
    assert len(SHORT_KEYS) == len(FIELDS)
    for language in ("English", "German"):
        assert r'"{" "\"v\":\""' in grammar_of(make_prompt(language=language))
    own = "Like a poet: visual_content, mood, what happens as action, and the setting."
    assert r'"\"v\":\""' in grammar_of(make_prompt(own))
    for instruction in ("Say what you see, as JSON.", "Tell of mood and setting, then of action."):
        assert r'"\"visual_content\":\""' in grammar_of(make_prompt(instruction))


def test_a_server_without_grammars_is_asked_for_the_text_by_the_schema() -> None:
    prompt = replace(make_prompt("Say what you see.", reads_text=True), uses_grammar=False)
    schema = prompt.body(b"", 1, None)["response_format"]["json_schema"]["schema"]

    assert schema["required"] == [*FIELDS, "text"]  # strict servers refuse a choice
    assert schema["properties"]["text"] == {
        "type": "string",
        "minLength": 0,
        "maxLength": BOUNDS["text"],
    }
    assert prompt.instruction.startswith("Say what you see.")
    assert "text" in prompt.instruction


def grammar_of(prompt: Prompt) -> str:
    body = prompt.body(b"", seed=1, model=None)
    return str(body["grammar"])
