"""Has the summary of a described film told, and keeps each step in the film's journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

from cinecut.errors import CineCutError, OutputError
from cinecut.inference.retelling import Reteller
from cinecut.inference.summaries import Retelling
from cinecut.models import Skip
from cinecut.results.entries import SkipEntry, SummaryEntry
from cinecut.results.exports.formats import export
from cinecut.results.journal import Journal
from cinecut.results.scenes import Results, read_results
from cinecut.results.summary import summary_of
from cinecut.run.outcomes import FilmOutcome
from cinecut.story.summary import Question, tell

_LOOK_AGAIN_S: Final = 0.1


class Told(NamedTuple):
    """What came of the asking about one film."""

    counts: dict[str, Any] | None
    """What the summary came to, and what it cost; None where it is not complete."""
    notice: str | None
    """What is amiss, if anything."""


def summarize(
    folder: Path,
    reteller: Reteller,
    is_cancelled: Callable[[], bool] = lambda: False,
    *,
    patience_s: float = 0.0,
) -> Told:
    """Tell the summary of the film in a results folder.

    Each step is in the journal when it is done, so that what was told is not asked for again. A
    step that fails costs that step alone.

    Raises:
        OutputError: The journal cannot be read or written, or its film is not complete.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    results = read_results(folder)
    if results.run.finished is None:
        raise OutputError(
            folder,
            "Not all of its film is described yet.",
            check="Line 1 of its journal: finished is null.",
            tip="Describe the rest, and the summary is made too: cinecut describe --summary FILM",
        )
    with Journal(folder, results.run, patience_s=patience_s) as journal:
        steps = _Steps(journal, reteller, is_cancelled)
        notice = None
        if journal.scenes:
            name = results.run.film.get("name")
            try:
                tell(name if isinstance(name, str) else "", results.scenes, reteller, steps.ask)
            except OutputError:
                raise
            except CineCutError as error:
                return Told(None, f"The summary is not complete: {error.cause}")
            notice = steps.notice()
        journal.steps = [*steps.used.values()]
        counts = steps.counts(results)
        parts = [scene.part for scene in journal.in_film_order()]
        journal.finish({**results.run.finished, "summary": counts}, parts)
    return Told(counts, notice)


class _Steps:
    """What was asked of one film: looked up in its journal first."""

    def __init__(
        self, journal: Journal, reteller: Reteller, is_cancelled: Callable[[], bool]
    ) -> None:
        self._journal, self._reteller, self._is_cancelled = journal, reteller, is_cancelled
        self._known = {step.key: step for step in journal.steps if step.told}
        self.used: dict[str, SummaryEntry] = {}

    def ask(self, questions: Sequence[Question]) -> list[SummaryEntry]:
        """Return what came of each question; those that are new are asked side by side.

        Raises:
            CineCutError: Nothing more can be asked, or nothing be written.
            KeyboardInterrupt: It was cancelled.
        """
        new = [question for question in questions if question.key not in self._known]
        left, done = SimpleQueue[Question](), SimpleQueue[SummaryEntry | Exception]()
        for question in new:
            left.put(question)
        for _ in range(min(self._reteller.slots, len(new))):
            threading.Thread(target=self._work, args=(left, done), daemon=True).start()
        for _ in new:
            step = self._next(done)
            if isinstance(step, Exception):
                raise step
            self._journal.append_step(step)
            self._known[step.key] = step
        steps = [self._known[question.key] for question in questions]
        self.used |= {step.key: step for step in steps}
        return steps

    def _next(self, done: SimpleQueue[SummaryEntry | Exception]) -> SummaryEntry | Exception:
        while not self._is_cancelled():
            with suppress(Empty):
                return done.get(timeout=_LOOK_AGAIN_S)
        raise KeyboardInterrupt

    def counts(self, results: Results) -> dict[str, Any]:
        """Return what the summary came to, and what it cost."""
        summary = summary_of(Results(results.run, results.scenes, steps=[*self.used.values()]))
        return {
            "chapters": len(summary.chapters) if summary else 0,
            "requests": len(self.used),
            "skipped": sum(step.told is None for step in self.used.values()),
            "tokens": sum(step.tokens for step in self.used.values()),
            "elapsed_s": round(sum(step.elapsed_s for step in self.used.values()), 3),
        }

    def notice(self) -> str | None:
        """Say what the model could not be brought to tell, if there is anything."""
        skipped = [step for step in self.used.values() if step.skipped]
        if not self.used:
            return "There is no summary: no scene has a description, or a slot has no room for it."
        if not skipped:
            return None
        why = skipped[-1].skipped
        reason = f"{why.reason}: {why.detail}" if why else ""
        return (
            f"Of the summary {len(skipped)} of {len(self.used)} pieces are missing. "
            f"The last one, {skipped[-1].step}: {reason}"
        )

    def _work(
        self, left: SimpleQueue[Question], done: SimpleQueue[SummaryEntry | Exception]
    ) -> None:
        while True:
            try:
                done.put(self._asked(left.get_nowait()))
            except Empty:
                return
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                done.put(error)
                return

    def _asked(self, question: Question) -> SummaryEntry:
        began_s = time.monotonic()
        outcome = self._reteller.retell(question.text, question.form)
        told = outcome if isinstance(outcome, Retelling) else None
        skip = outcome if isinstance(outcome, Skip) else None
        return SummaryEntry(
            step=question.step,
            key=question.key,
            first=question.first,
            last=question.last,
            told=told,
            skipped=SkipEntry(reason=skip.reason, detail=skip.detail) if skip else None,
            elapsed_s=round(time.monotonic() - began_s, 3),
            tokens=told.tokens if told else 0,
        )


def with_summary(
    outcome: FilmOutcome,
    reteller: Reteller,
    formats: Sequence[str],
    is_cancelled: Callable[[], bool],
) -> FilmOutcome:
    """Tell the summary of a film that is described, write its exports, and return what came of it.

    Raises:
        KeyboardInterrupt: `is_cancelled` said so.
    """
    assert outcome.folder is not None
    try:
        counts, notice = summarize(outcome.folder, reteller, is_cancelled)
        notices = [*outcome.notices, *([notice] if notice else [])]
        exports = export(outcome.folder, formats, notices.append)
    except CineCutError as error:
        return replace(outcome, error=error)
    return replace(
        outcome,
        exports=tuple(exports),
        summary=counts,
        notices=tuple(notices),
    )


class Summaries:
    """Films that wait for their summaries, told one after the other while others are described."""

    def __init__(self, reteller: Reteller, formats: Sequence[str]) -> None:
        """Take who tells, and the exports to write of each film then."""
        self._reteller, self._formats = reteller, formats
        self._stopped = threading.Event()
        self._films = SimpleQueue[tuple[object, FilmOutcome]]()
        self._told = SimpleQueue[tuple[object, FilmOutcome] | Exception]()
        self.places: set[object] = set()
        """The films that were added and not told yet."""
        threading.Thread(target=self._tell_all, daemon=True).start()

    def add(self, place: object, outcome: FilmOutcome) -> None:
        """Take a film that is described; `place` is what `told` names it by."""
        self.places.add(place)
        self._films.put((place, outcome))

    def told(self) -> Iterator[tuple[object, FilmOutcome]]:
        """Yield what became of films since the last call."""
        with suppress(Empty):
            while True:
                told = self._told.get_nowait()
                if isinstance(told, Exception):
                    raise told
                place, outcome = told
                self.places.discard(place)
                yield place, outcome

    def stop(self) -> None:
        """Tell no more; replies under way are not waited for."""
        self._stopped.set()

    def _tell_all(self) -> None:
        while not self._stopped.is_set():
            with suppress(Empty, KeyboardInterrupt):
                place, outcome = self._films.get(timeout=_LOOK_AGAIN_S)
                asking = (self._reteller, self._formats, self._stopped.is_set)
                try:
                    self._told.put((place, with_summary(outcome, *asking)))
                except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                    self._told.put(error)
