"""Finds the description in a chat completion, where a person would see one.

Small models and servers of every make answer in forms of their own. The rules, in this order:

1. The text is the message's `content`; a list of parts is their texts, one after the other. Where
   no description is in it, the `reasoning_content` is read, which some call `reasoning`: some
   servers put everything there.
2. What stands before the last `</think>` is no answer.
3. A description is a JSON object with a text for each field. It may stand in a fence, between
   sentences, or in another object. Of several the last one counts: drafts and examples come
   before the answer.
4. Keys may be written in another way: `Visual Content`, `visualContent`; an object with exactly
   the short keys is what our own grammar asks for.
5. A list of words is a text. A number, alone, describes nothing.
6. The on-screen text counts where it was asked for. It may be anything: most pictures have none,
   a year is a number, and what is none costs no description. "None" and its like are none.
7. A text as long as the bound that was asked for was cut off there, unless it ends a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from cinecut.inference.models import BOUNDS, ON_SCREEN, SceneDescription, reply_keys
from cinecut.inference.question.ending import end_properly, ends_a_sentence
from cinecut.inference.question.repetition import repeats_itself
from cinecut.inference.question.thinking import THOUGHTS
from cinecut.models import Skip

_DETAIL_CHARS: Final = 200
_LOOKED_AT_CHARS: Final = 1 << 16  # many times the longest answer; the end, where the answer is
_MOST_OBJECTS: Final = 200
_DEEPEST: Final = 4
_NO_TEXT: Final = re.compile(
    r"\W*(none|null|n/?a|no (visible |readable |legible |on-?screen )?(text|words)"
    r"( (is|are))?( (visible|present|shown))?( in (the|this) \w+)?)\W*|[-\u2013\u2014]*",
    re.IGNORECASE,
)
_CUT: Final = "The reply was cut off at its longest."
_CUT_THOUGHT: Final = f"{_CUT} It was still a thought: start the server with thinking off."
_DECODER: Final = json.JSONDecoder(strict=False)  # small models break lines inside a text


def read_reply(reply: Any, *, reads_text: bool = False) -> SceneDescription | Skip:
    """Return the description in the parsed body of a chat completion, or why there is none.

    Args:
        reply: The body.
        reads_text: Whether the on-screen text was asked for too.
    """
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        answer, reasoning = _text_of(message.get("content")), _thoughts_in(message) or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return Skip("malformed", "The reply has no message.")
    text = answer or reasoning
    description, problem = _find(text, reads_text=reads_text)
    is_cut = choice.get("finish_reason") == "length"
    if description is None and answer and not is_cut:  # of a cut answer there may be a draft
        description, _ = _find(reasoning, reads_text=reads_text)
    if description is not None:
        circles = repeats_itself([*description.model_dump().values()])
        return description.model_copy(update={"repeats_itself": circles})
    if is_cut:
        was_thinking = not answer if reasoning else text.lstrip().startswith("<think>")
        return Skip("truncated", _CUT_THOUGHT if was_thinking else _CUT)
    return Skip("malformed", f"{problem} in {text[:80]!r}"[:_DETAIL_CHARS])


def message_of(reply: Any) -> tuple[str, bool]:
    """Return the words of a chat completion, and whether they were cut off at their longest."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        text = _text_of(message.get("content")) or _thoughts_in(message)
        return text or "", choice.get("finish_reason") == "length"
    except (KeyError, IndexError, TypeError, AttributeError):
        return "", False


def _thoughts_in(message: dict[str, Any]) -> str | None:
    """Return what a server has parted from the answer; None where there is nothing."""
    return next(filter(None, (_text_of(message.get(name)) for name in THOUGHTS)), None)


def _text_of(content: Any) -> str | None:
    """Return the words of a message's content; None where it has none."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) and content.strip() else None


def _find(text: str, *, reads_text: bool) -> tuple[SceneDescription | None, str]:
    """Return the last description in `text`; without one, what is wrong with its last object."""
    answer = text.rpartition("</think>")[2]
    found, problem = None, ""
    for candidate in islice(objects(answer), _MOST_OBJECTS):
        fields = _with_known_keys(candidate, reads_text=reads_text)
        known = bool(fields)
        if reads_text:
            fields[ON_SCREEN] = _shown(fields.get(ON_SCREEN))
        cut = {name: end_properly(text) for name, text in fields.items() if _is_cut(name, text)}
        try:
            found = SceneDescription(**{**fields, **cut}, shortened=tuple(cut))
        except ValidationError as error:
            if known or not problem:
                problem = first_problem(error)
    nothing = "There is no whole JSON object" if answer.strip() else "It says nothing"
    return found, problem or nothing


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in `text`, each before those that it holds."""
    try:
        values: Iterable[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        values = _scattered(text[-_LOOKED_AT_CHARS:])
    for value in values:
        yield from _inside(value, _DEEPEST)


def _scattered(text: str) -> Iterator[Any]:
    at = 0
    for _ in range(_MOST_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
        else:
            yield value


def _inside(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if depth:
        for one in inner:
            yield from _inside(one, depth - 1)


def _with_known_keys(candidate: dict[str, Any], *, reads_text: bool) -> dict[str, Any]:
    """Return the fields of a description that an object has; one that is written right wins."""
    short = reply_keys(short_keys=True, reads_text=reads_text)
    if candidate.keys() == short.keys():
        candidate = {short[key]: value for key, value in candidate.items()}
    written = {_plain(key): value for key, value in candidate.items()}
    names = [*short.values()]
    fields = {name: written[_plain(name)] for name in names if _plain(name) in written}
    fields |= {name: candidate[name] for name in names if name in candidate}
    return {name: _joined(value) for name, value in fields.items()}


def _shown(value: Any) -> str:
    """Return the on-screen text that a reply tells, on one line; empty for what is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = str(value) if is_number or isinstance(value, str) else ""
    text = re.sub(r"\s*\n\s*", " ", text.encode(errors="ignore").decode())
    return "" if _NO_TEXT.fullmatch(text) else text


def _is_cut(name: str, value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == BOUNDS[name]
        and not ends_a_sentence(value.rstrip())
    )


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _joined(value: Any) -> Any:
    """Return a list of words and numbers as a text, and everything else as it is."""
    if isinstance(value, list) and value and all(isinstance(v, str | int | float) for v in value):
        return ", ".join(word for one in value if (word := str(one).strip()))
    return value


def first_problem(error: ValidationError) -> str:
    """Say where an object is wrong first, and how."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
