"""What a description is: its fields, the bounds a reply is held to, and the check it must pass."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)


def _trimmed(text: str) -> str:
    text = text.strip()  # pydantic's own trim keeps separators like U+1F
    text.encode()
    return text


def said(text: str) -> str:
    """Return `text` without white space around it.

    Raises:
        ValueError: Nothing is left, or it holds half a character (a lone surrogate).
    """
    text = _trimmed(text)
    if not text:
        raise ValueError("it says nothing")
    return text


_Text = Annotated[str, AfterValidator(said)]
_PerhapsEmpty = Annotated[str, AfterValidator(_trimmed)]


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
    text: Annotated[_PerhapsEmpty | None, _text("the words to be read in it", 140)] = None
    """On-screen text: empty where there is none, None where nobody asked for it."""

    shortened: tuple[str, ...] = Field(default=(), exclude=True)
    """Which of these the bound cut off, and so end earlier than the model's words did."""
    repeats_itself: bool = Field(default=False, exclude=True)
    """Whether it goes in circles."""

    @model_serializer(mode="wrap")
    def _as_asked(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what nobody asked for: a run without it writes what it always wrote."""
        told: dict[str, Any] = dump(self)
        if self.text is None:
            told.pop(ON_SCREEN, None)
        return told


BOUNDS: Final[dict[str, int]] = {
    name: field.json_schema_extra["maxLength"]  # type: ignore[misc]
    for name, field in SceneDescription.model_fields.items()
    if isinstance(field.json_schema_extra, dict)
}
"""The longest text that is asked for in each field, in characters."""

ON_SCREEN: Final = "text"
"""The field that is asked for with `--text` alone, and may be empty: what can be read."""

ALL_FIELDS: Final = tuple(BOUNDS)
"""Names of the fields, in the order of the reply."""

FIELDS: Final = tuple(name for name in ALL_FIELDS if name != ON_SCREEN)
"""Those that every description has."""


def reply_keys(*, short_keys: bool, reads_text: bool) -> dict[str, str]:
    """Return the keys of a reply in its order, each with the field that it stands for."""
    names = ALL_FIELDS if reads_text else FIELDS
    return {name[0] if short_keys else name: name for name in names}


SHORT_KEYS: Final = reply_keys(short_keys=True, reads_text=False)
"""What stands for the fields in a reply that our own server is held to."""


def json_schema(*, reads_text: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a reply, every string bounded and no other key allowed."""
    names = reply_keys(short_keys=False, reads_text=reads_text)
    properties = {
        name: {"type": "string", "minLength": int(name != ON_SCREEN), "maxLength": BOUNDS[name]}
        for name in names
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(names),  # the on-screen text too: strict servers refuse a choice
        "additionalProperties": False,
    }


def gbnf_grammar(
    *,
    ascii_only: bool,
    short_keys: bool,
    reads_text: bool = False,
    before: tuple[str, str] = ("", ""),
) -> str:
    """Return a grammar for llama-server that allows nothing but one compact JSON object.

    Without blanks between the JSON tokens a reply costs 9 % fewer of them. There are no escapes:
    neither quotes nor backslashes may stand inside a string, so a reply that ends is valid JSON,
    and its size in bytes is known (`longest_reply_bytes`).
    Format: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md

    Args:
        ascii_only: Whether the texts are held to ASCII; not what stands in the picture.
        short_keys: Whether a letter stands for a field; else its name does.
        reads_text: Whether the on-screen text is asked for, which may be empty.
        before: What stands before the object, and the rules for that.
    """
    pairs = []
    for key, name in reply_keys(short_keys=short_keys, reads_text=reads_text).items():
        most = BOUNDS[name] - 1
        text = f"first other{{0,{most}}}" if name != ON_SCREEN else f"(sign shown{{0,{most}}})?"
        pairs.append(rf'"\"{key}\":\"" {text} "\""')
    root = ' "," '.join(pairs)
    rules = text_rules(ascii_only=ascii_only)
    if reads_text:
        rules += f"sign ::= {_VISIBLE[:-1]}{_RARE}]\nshown ::= {_ANY[:-1]}{_RARE}]\n"
    return f'root ::= {before[0]} "{{" {root} "}}"\n{before[1]}{rules}'


def text_rules(*, ascii_only: bool) -> str:
    """Return the rules of a grammar for a text's first character and for the others."""
    first, other = ("[!#-[\\]-~]", "[ !#-[\\]-~]") if ascii_only else (_VISIBLE, _ANY)
    return f"first ::= {first}\nother ::= {other}\n"


def longest_reply_bytes(*, ascii_only: bool, short_keys: bool, reads_text: bool = False) -> int:
    """Return the size of the longest reply that the grammar allows, in bytes of UTF-8.

    A token that the grammar lets through is at least one byte, so this bounds the tokens too.
    """
    keys = reply_keys(short_keys=short_keys, reads_text=reads_text)
    punctuation = len("{}") + len(keys) * len('"":"",') - 1
    chars = sum(BOUNDS[name] for name in FIELDS) * (1 if ascii_only else 4)
    shown = _SHOWN_BYTES * BOUNDS[ON_SCREEN] if reads_text else 0
    return punctuation + sum(map(len, keys)) + chars + shown


# White space and controls besides the blank are left out: a string must not begin with white
# space only, or it would be empty after trimming.
_ANY: Final = r"[^\"\\\x00-\x1F\x7F-\x9F]"
_VISIBLE: Final = r"[^\"\\\x00-\x20\x7F-\xA0\u1680\u2000-\u200F\u2028-\u202F\u205F\u3000]"
# Emoji and what is rarer still: without them a sign of the on-screen text has three bytes at most.
_RARE: Final = r"\U00010000-\U0010FFFF"
_SHOWN_BYTES: Final = 3
