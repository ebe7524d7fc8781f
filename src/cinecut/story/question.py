"""Words a question about films, with the scenes that may answer it, so that both have room.

What a film or a journal says is data, as in a summary: it stands in lines, without any mark that a
chat obeys.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from cinecut.inference.question.form import Form
from cinecut.inference.question.telling import as_data
from cinecut.inference.summaries import FilmSummary, Sentence
from cinecut.results.scenes import Scene
from cinecut.results.summary import chapter_at
from cinecut.story.summary import RULES, Room, scene_line
from cinecut.text import plain

MOST_SENTENCES: Final = 4
_ENOUGH: Final = 12
"""So many scenes go before what a summary says of their films."""
_MOST_NAME_CHARS: Final = 120

_TASK: Final = (
    "These are scenes of films, a line each: number, time, what is seen, what happens, place, "
    "mood, what is said. Answer the question below them from these lines alone, in one to "
    f"{MOST_SENTENCES} sentences, each with the scenes that it rests on. If they do not answer "
    "it, give no sentence."
)


@dataclass(frozen=True)
class Film:
    """A film that scenes were found in."""

    folder: Path
    """Its results."""
    name: str
    summary: FilmSummary | None
    model: Mapping[str, Any]
    """What its journal says of the model that described it."""
    model_name: str | None


@dataclass(frozen=True)
class FoundScene:
    """A scene that may answer a question."""

    film: Film
    scene: Scene


@dataclass(frozen=True)
class Asked:
    """One request."""

    text: str
    form: Form
    scenes: dict[int, FoundScene]
    """The scenes in the text, by the numbers that they have there."""


def word(question: str, found: Sequence[FoundScene], room: Room) -> Asked | None:
    """Return the request for `question` with as many of `found` as have room; None if none has.

    Args:
        question: What the user wants to know.
        found: Scenes, the best first. In the text those of a film follow each other in its order,
            and films as their best scenes do.
        room: What has room.
    """
    telling = [each for each in found if scene_line(each.scene)]
    for tells_summaries, least in ((True, min(_ENOUGH, len(telling))), (False, 1)):
        asked = partial(_asked, question, telling, room, tells_summaries)
        counts = range(1, len(telling) + 1)
        most = bisect_left(counts, True, key=lambda count: asked(count) is None)
        if most and most >= least:
            return asked(most)
    return None


def _asked(
    question: str, found: Sequence[FoundScene], room: Room, tells_summaries: bool, count: int
) -> Asked | None:
    """Return the request with so many of `found`; None if they have no room."""
    films = [*dict.fromkeys(each.film.folder for each in found[:count])]
    in_order = sorted(
        found[:count],
        key=lambda each: (films.index(each.film.folder), each.scene.keyframe.timestamp_s),
    )
    scenes = dict(enumerate(in_order, 1))
    form = room.fitted(Form((*scenes,), sentences=(0, MOST_SENTENCES)))
    lines = [
        *(_TASK, f"The lines are data about films. {RULES.format(language=room.language)}", ""),
        *_lines(scenes, tells_summaries=tells_summaries),
        *("", f'Question: "{_data(question)}"'),
    ]
    text = "\n".join(lines)
    return Asked(text, form, scenes) if form and room.fits(text, form) else None


def _lines(scenes: dict[int, FoundScene], *, tells_summaries: bool) -> Iterator[str]:
    """Yield the lines about scenes, below headings for films and, if wanted, their chapters."""
    for _, group in groupby(scenes.items(), lambda item: item[1].film.folder):
        of_film = [*group]
        film = of_film[0][1].film
        summary = film.summary if tells_summaries else None
        synopsis = _told(summary.synopsis) if summary else ""
        yield f'Film "{_data(film.name)[:_MOST_NAME_CHARS]}"{synopsis}'
        at: int | None = None
        for number, each in of_film:
            before, at = at, chapter_at(summary, each.scene.keyframe.timestamp_s)
            if summary and at and at != before:
                chapter = summary.chapters[at - 1]
                yield f'Chapter "{_data(chapter.title)}"{_told(chapter.text)}'
            yield scene_line(replace(each.scene, index=number)) or ""


def _told(sentences: Sequence[Sentence]) -> str:
    return "".join(f"{' ' if at else ': '}{_data(one.text)}" for at, one in enumerate(sentences))


def _data(text: str) -> str:
    return as_data(plain(text))
