"""What counts as an entry of a journal: a journal may be damaged, or made by somebody else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from cinecut.inference.models import SceneDescription
from cinecut.inference.summaries import Retelling

LONGEST_S: Final = 1e9
"""No film is thirty years long."""
LONGEST_LINE_BYTES: Final = 4 << 20
"""Of a longer line only so much is looked at; a reply has 1 MiB at most, and escaped three."""

_HIGHEST: Final = 10**9
_LONGEST_SOURCE: Final = 100
_MOST_DIGITS: Final = 19
_DEEPEST: Final = 8


def _text(value: Any) -> str:
    # Pydantic's own check refuses lone surrogates, which stand for a file name's odd bytes.
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - what pydantic takes for a fault of the value
    return value


def _source(value: Any) -> str:
    if len(_text(value)) > _LONGEST_SOURCE:
        raise ValueError("no source")
    return _text(value)


def _facts(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or _is_deeper_than(_DEEPEST, value):
        raise ValueError("no facts")
    return value


def _counts(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    counts = _facts(value)
    for name in ("scenes", "skipped"):
        number = counts.get(name, 0)
        if type(number) is not int or not 0 <= number <= _HIGHEST:
            raise ValueError("no count")
    return counts


def _is_deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deeper_than(levels - 1, each) for each in inner)


_Text = Annotated[str, PlainValidator(_text)]
_Facts = Annotated[dict[str, Any], PlainValidator(_facts)]
_Index = Annotated[int, Field(ge=0, le=_HIGHEST)]
_Seconds = Annotated[float, Field(ge=0, lt=LONGEST_S)]


class _Entry(BaseModel):
    """Exact types; what a later version adds is passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class KeyframeEntry(_Entry):
    """A `KeyframeRecord` as it stands in a line."""

    timestamp_s: _Seconds
    frame_path: _Text
    source: Annotated[str, PlainValidator(_source)]


class SkipEntry(_Entry):
    """A `Skip` as it stands in a line; a later version may know other reasons."""

    reason: _Text
    detail: _Text


class DialogueEntry(_Entry):
    """A `DialogueLine` as it stands in a line."""

    start_s: _Seconds
    end_s: _Seconds
    text: _Text


class SceneEntry(_Entry):
    """The line of a `Scene`."""

    type: Literal["scene"]
    index: _Index
    keyframe: KeyframeEntry
    description: SceneDescription | None
    skipped: SkipEntry | None
    elapsed_s: _Seconds
    same_as: _Index | None = None
    part: _Index | None = None
    shortened: list[_Text] = Field(default_factory=list)  # one of its own would be copied, deeply
    repeats_itself: bool = False
    dialogue: list[DialogueEntry] = Field(default_factory=list)
    moments: list[_Seconds] = Field(default_factory=list)


class RunEntry(_Entry):
    """The line of a `Run`; its facts are JSON of any kind, eight levels deep at the most."""

    type: Literal["run"]
    film: _Facts
    model: _Facts
    settings: _Facts
    details: _Facts = {}
    finished: Annotated[dict[str, Any] | None, PlainValidator(_counts)] = None


class SummaryEntry(_Entry):
    """The line of a step to the summary: what a model said about many scenes, or why nothing."""

    type: Literal["summary"] = "summary"
    step: Literal["window", "chapter", "synopsis", "elements"]
    """A window is a part of a chapter that is too long to be told at once."""
    key: Annotated[str, Field(max_length=64)]
    """Digest of all that was asked: the scenes, their texts, the form of the reply."""
    first: _Index
    """Index of the first scene that it is about."""
    last: _Index
    told: Retelling | None
    skipped: SkipEntry | None = None
    elapsed_s: _Seconds = 0.0
    tokens: _Index = 0
    """Of prompt and reply, as the server counts; 0 where it does not."""


def lines_of(journal: BinaryIO) -> Iterator[str]:
    """Yield the lines that are not blank, each with its line break, which a torn one lacks.

    Of a line that is too long comes the beginning, which is no entry.
    """
    while line := journal.readline(LONGEST_LINE_BYTES):
        rest = line
        while not rest.endswith(b"\n") and (rest := journal.readline(LONGEST_LINE_BYTES)):
            pass
        text = line.decode("utf-8", errors="replace")
        if text.strip():
            yield f"{text}\n" if rest is not line and rest else text


def parse_entry(line: str) -> RunEntry | SceneEntry | SummaryEntry | None:
    """Return the entry that `line` holds, or None for a torn, damaged or unknown one."""
    try:
        entry = _DECODER.decode(line)
        kind = _KINDS.get(entry["type"], SceneEntry)
        return kind.model_validate(entry)
    except (ValueError, TypeError, KeyError, RecursionError):  # pydantic's is a ValueError
        return None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("no number of anything")
    return int(text)


_KINDS: Final[dict[str, type[RunEntry | SceneEntry | SummaryEntry]]] = {
    "run": RunEntry,
    "summary": SummaryEntry,
}
_DECODER: Final = json.JSONDecoder(
    parse_float=_finite, parse_int=_whole, parse_constant=_finite
)  # NaN and Infinity are no JSON, though Python reads and writes them
