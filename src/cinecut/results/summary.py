"""Joins the steps that a journal holds to the summary of its film, as far as there is one."""

from __future__ import annotations

from collections.abc import Sequence

from cinecut.inference.summaries import Chapter, Element, FilmSummary, Sentence
from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import Results


def summary_of(results: Results) -> FilmSummary | None:
    """Return what a model told of the film: None where it was not asked, or said nothing.

    Only scenes that are there count, and chapters that follow each other: a journal may be damaged.
    """
    starts = {scene.index: scene.keyframe.timestamp_s for scene in results.scenes}
    places = {scene.index: place for place, scene in enumerate(results.scenes)}
    chapters: list[Chapter] = []
    end = -1
    told = [
        step for step in results.steps if step.told and step.first in starts and step.last in starts
    ]
    of_chapters = [step for step in told if step.step == "chapter"]
    for step in sorted(of_chapters, key=lambda step: places[step.first]):
        if step.told and step.told.title and end < places[step.first] <= places[step.last]:
            end = places[step.last]
            chapters.append(
                Chapter(
                    start_s=starts[step.first] if chapters else 0.0,
                    title=step.told.title,
                    text=_sentences(step, starts),
                    scenes=(step.first, step.last),
                )
            )
    synopsis = [one for step in _last(told, "synopsis") for one in _sentences(step, starts)]
    elements = [
        one.model_copy(update={"scenes": scenes})
        for step in _last(told, "elements")
        for one in (step.told.elements if step.told else ())
        if (scenes := _known(one, starts))
    ]
    if not (synopsis or chapters or elements):
        return None
    return FilmSummary(synopsis=synopsis, chapters=chapters, elements=elements)


def chapter_at(summary: FilmSummary | None, timestamp_s: float) -> int | None:
    """Return the number of the chapter, from 1, that a moment of the film lies in."""
    starts = [chapter.start_s for chapter in summary.chapters] if summary else []
    return sum(start <= timestamp_s for start in starts) or None


def _last(told: Sequence[SummaryEntry], step: str) -> list[SummaryEntry]:
    return [one for one in told if one.step == step][-1:]


def _sentences(step: SummaryEntry, starts: dict[int, float]) -> list[Sentence]:
    return [
        one.model_copy(update={"scenes": scenes})
        for one in (step.told.sentences if step.told else ())
        if (scenes := _known(one, starts))
    ]


def _known(one: Sentence | Element, starts: dict[int, float]) -> list[int]:
    return sorted({scene for scene in one.scenes if scene in starts})
