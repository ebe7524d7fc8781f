"""What a summary is: sentences that rest on scenes, chapters, elements that come back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cinecut.inference.models import said

_MOST_CHARS = 2000  # several times what is asked for, of a server that keeps to no bound
_MOST = 64

_Text = Annotated[str, AfterValidator(said), Field(max_length=_MOST_CHARS)]
_Index = Annotated[int, Field(ge=0, le=10**9)]
_Scenes = Annotated[list[_Index], Field(min_length=1, max_length=_MOST)]

Kind = Literal["place", "person", "object"]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Sentence(_Model):
    """One sentence, and the scenes that it rests on."""

    text: _Text
    scenes: _Scenes


class Element(_Model):
    """A place, a person or a thing that comes back."""

    name: _Text
    kind: Kind
    scenes: _Scenes


class Retelling(_Model):
    """What a model says about many scenes; what was not asked for is empty."""

    title: _Text | None = None
    sentences: Annotated[list[Sentence], Field(max_length=_MOST)] = []
    elements: Annotated[list[Element], Field(max_length=_MOST)] = []

    repeats_itself: bool = Field(default=False, exclude=True)
    """Whether it goes in circles."""
    tokens: int = Field(default=0, exclude=True)
    """What the request cost, prompt and reply; 0 where the server does not tell."""


class Chapter(_Model):
    """Neighbouring scenes that are told of together."""

    start_s: float
    """When it begins, in seconds from the film's start."""
    title: _Text
    text: list[Sentence]
    scenes: tuple[int, int]
    """Indices of its first and its last scene."""


class FilmSummary(_Model):
    """What a film is, as a model tells it from the descriptions of its scenes."""

    synopsis: list[Sentence]
    chapters: list[Chapter]
    elements: list[Element]
