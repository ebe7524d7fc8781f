"""Has a question about films answered from their scenes; nothing is written anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from cinecut.errors import OutputError
from cinecut.inference.retelling import Reteller
from cinecut.inference.summaries import Retelling, Sentence
from cinecut.models import Skip
from cinecut.results.presentation import film_name, model_name
from cinecut.results.scenes import Results, Scene, read_results, time_key
from cinecut.results.summary import summary_of
from cinecut.story.question import Asked, Film, FoundScene

_LOOK_AGAIN_S: Final = 0.05


@dataclass(frozen=True)
class Cited:
    """A sentence of an answer, and the scenes that it rests on."""

    text: str
    scenes: tuple[FoundScene, ...]


@dataclass(frozen=True)
class Moment:
    """Where something was found."""

    folder: Path
    """The results."""
    timestamp_s: float
    """The time of a scene, or of the first of a chapter."""
    is_chapter: bool = False


def scenes_at(moments: Iterable[Moment]) -> list[FoundScene]:
    """Return the scenes at `moments`, in their order, each once; what is gone is left out.

    Those of a chapter are the first and what its sentences rest on.
    """
    known: dict[Path, tuple[Film, Results] | None] = {}
    found: dict[tuple[Path, int], FoundScene] = {}
    for moment in moments:
        if moment.folder not in known:
            known[moment.folder] = _film(moment.folder)
        if (film_and_results := known[moment.folder]) is not None:
            for scene in _scenes_at(moment, *film_and_results):
                key = (moment.folder, time_key(scene))
                found.setdefault(key, FoundScene(film_and_results[0], scene))
    return [*found.values()]


def _scenes_at(moment: Moment, film: Film, results: Results) -> list[Scene]:
    key = round(moment.timestamp_s * 1000)
    here = [scene for scene in results.scenes if time_key(scene) == key]
    if not (moment.is_chapter and here and film.summary):
        return here
    rests_on = {
        number
        for chapter in film.summary.chapters
        if chapter.scenes[0] == here[0].index
        for sentence in chapter.text
        for number in sentence.scenes
    }
    return here + [scene for scene in results.scenes if scene.index in rests_on]


def _film(folder: Path) -> tuple[Film, Results] | None:
    try:
        results = read_results(folder)
    except OutputError:  # it was there when the index was brought up to date
        return None
    run = results.run
    return Film(folder, film_name(run), summary_of(results), run.model, model_name(run)), results


def answer(
    asked: Asked,
    reteller: Reteller,
    is_cancelled: Callable[[], bool],
    on_begun: Callable[[Sequence[Cited]], None],
) -> list[Cited] | Skip:
    """Return what a model answers, nothing where the scenes do not tell; or why it does not.

    Args:
        asked: The request.
        reteller: Who asks.
        is_cancelled: Asked several times a second.
        on_begun: Called now and then with the sentences that are there so far. A reply that is no
            good is asked for once more, and then they are others.

    Raises:
        InferenceError: Nothing more can be asked.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    done = SimpleQueue[Retelling | Skip | Exception]()
    latest = ""

    def follow(text: str) -> None:
        nonlocal latest
        latest = text

    def work() -> None:
        try:
            done.put(reteller.retell(asked.text, asked.form, follow))
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            done.put(error)

    threading.Thread(target=work, daemon=True, name="cinecut-question").start()
    while not is_cancelled():
        try:
            outcome = done.get(timeout=_LOOK_AGAIN_S)
        except Empty:
            if begun := asked.form.begun(latest):
                on_begun(_cited(asked, begun))
            continue
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Skip) else _cited(asked, outcome.sentences)
    raise KeyboardInterrupt


def _cited(asked: Asked, sentences: Iterable[Sentence]) -> list[Cited]:
    return [
        Cited(one.text, tuple(asked.scenes[number] for number in sorted({*one.scenes})))
        for one in sentences
    ]
