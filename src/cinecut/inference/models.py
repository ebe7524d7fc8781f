"""What a description is: its fields, the bounds a reply is held to, and the check it must pass."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def said(text: str) -> str:
    """Return `text` without white space around it; pydantic's own trim keeps separators like U+1F.

    Raises:
        ValueError: Nothing is left, or it holds half a character (a lone surrogate).
    """
    text = text.strip()
    text.encode()
    if not text:
        raise ValueError("it says nothing")
    return text


_Text = Annotated[str, AfterValidator(said)]


def _text(what: str, max_chars: int) -> Any:
    # The bound is asked of the model and not of the reply: a longer text from a server that
    # ignores it is still a description.
    return Field(description=what, json_schema_extra={"maxLength": max_chars})


class SceneDescription(BaseModel):
    """What a model says about one keyframe; the fields stand in the order of the reply.

    Each bound leaves room for a full sentence, the first for two. A field without one lets a reply
    run into the token limit, which loses the frame.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    visual_content: _Text = _text("what is to be seen", 320)
    mood: _Text = _text("the feeling of light, colour and faces", 70)
    action: _Text = _text("what happens", 130)
    setting: _Text = _text("place and time", 130)

    shortened: tuple[str, ...] = Field(default=(), exclude=True)
    """Which of these the bound cut off, and so end earlier than the model's words did."""
    repeats_itself: bool = Field(default=False, exclude=True)
    """Whether it goes in circles."""


BOUNDS: Final[dict[str, int]] = {
    name: field.json_schema_extra["maxLength"]  # type: ignore[misc]
    for name, field in SceneDescription.model_fields.items()
    if isinstance(field.json_schema_extra, dict)
}
"""The longest text that is asked for in each field, in characters."""

FIELDS: Final = tuple(BOUNDS)
"""Names of the fields, in the order of the reply."""

SHORT_KEYS: Final = {name[0]: name for name in FIELDS}
"""What stands for the fields in a reply that our own server is held to."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a reply, every string bounded and no other key allowed."""
    properties = {
        name: {"type": "string", "minLength": 1, "maxLength": bound}
        for name, bound in BOUNDS.items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(FIELDS),
        "additionalProperties": False,
    }


def gbnf_grammar(*, ascii_only: bool, short_keys: bool, before: tuple[str, str] = ("", "")) -> str:
    """Return a grammar for llama-server that allows nothing but one compact JSON object.

    Without blanks between the JSON tokens a reply costs 9 % fewer of them. There are no escapes:
    neither quotes nor backslashes may stand inside a string, so a reply that ends is valid JSON,
    and its size in bytes is known (`longest_reply_bytes`).
    Format: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md

    Args:
        ascii_only: Whether the texts are held to ASCII.
        short_keys: Whether the keys are those of `SHORT_KEYS`; else the names of the fields.
        before: What stands before the object, and the rules for that.
    """
    keys = SHORT_KEYS if short_keys else FIELDS
    pairs = [
        rf'"\"{key}\":\"" first other{{0,{bound - 1}}} "\""'
        for key, bound in zip(keys, BOUNDS.values(), strict=True)
    ]
    root = ' "," '.join(pairs)
    rules = text_rules(ascii_only=ascii_only)
    return f'root ::= {before[0]} "{{" {root} "}}"\n{before[1]}{rules}'


def text_rules(*, ascii_only: bool) -> str:
    """Return the rules of a grammar for a text's first character and for the others."""
    first, other = ("[!#-[\\]-~]", "[ !#-[\\]-~]") if ascii_only else (_VISIBLE, _ANY)
    return f"first ::= {first}\nother ::= {other}\n"


def longest_reply_bytes(*, ascii_only: bool, short_keys: bool) -> int:
    """Return the size of the longest reply that the grammar allows, in bytes of UTF-8.

    A token that the grammar lets through is at least one byte, so this bounds the tokens too.
    """
    keys = SHORT_KEYS if short_keys else FIELDS
    punctuation = len("{}") + len(keys) * len('"":"",') - 1
    chars = sum(BOUNDS.values())
    return punctuation + sum(map(len, keys)) + chars * (1 if ascii_only else 4)


# White space and controls besides the blank are left out: a string must not begin with white
# space only, or it would be empty after trimming.
_ANY: Final = r"[^\"\\\x00-\x1F\x7F-\x9F]"
_VISIBLE: Final = r"[^\"\\\x00-\x20\x7F-\xA0\u1680\u2000-\u200F\u2028-\u202F\u205F\u3000]"
