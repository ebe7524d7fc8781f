"""Joins the stages: films in, journals and a stream of events out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty
from typing import Final

from cinecut.errors import InferenceError, OutputError
from cinecut.inference import LlavaEngine
from cinecut.models import Skip
from cinecut.results.exports.formats import export
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene
from cinecut.run.jobs import FilmJob
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.pipeline import AllScanned, Answer, Began, FilmWork, Pipeline, Scanned

MOST_EQUAL_SKIPS: Final = 20
"""So many skips in a row for one reason end the run: the fault is not in the frames."""

_ENOUGH_TO_TELL: Final = 5  # a film of fewer frames may be at fault itself
_LOOK_AGAIN_S: Final = 0.1
_TELL_EVERY_S: Final = 0.5


@dataclass(frozen=True)
class FilmBegan:
    """A film has been opened; its scenes follow."""

    outcome: FilmOutcome


@dataclass(frozen=True)
class SceneDone:
    """A scene is in the journal."""

    outcome: FilmOutcome
    """What has become of its film so far."""
    scene: Scene


@dataclass(frozen=True)
class FilmGoesOn:
    """Time has passed, with or without a scene: a run that is resumed passes over many frames."""

    outcome: FilmOutcome


@dataclass(frozen=True)
class FilmEnded:
    """A film is complete, or has failed with `outcome.error`."""

    outcome: FilmOutcome


Event = FilmBegan | SceneDone | FilmGoesOn | FilmEnded
"""Snapshots that may travel to another machine."""


@dataclass
class Streak:
    """The last skips in a row: their reason, and how many there are; over many films."""

    reason: str = ""
    length: int = 0


def describe_films(
    jobs: Sequence[FilmJob],
    engine: LlavaEngine,
    *,
    timeout_s: float,
    formats: Sequence[str] = (),
    picture_side_px: int | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    streak: Streak | None = None,
) -> Generator[Event, None, None]:
    """Describe films one after the other and yield what happens.

    The caller's thread writes the journals. When all slots are busy the decoder waits. The next
    film is being decoded while the last frames of the one before are being described. A film that
    cannot be read ends with its error, and the next one goes on.

    Args:
        jobs: The films, as `plan_job` returns them.
        engine: An engine inside its block.
        timeout_s: Seconds that a frame may take.
        formats: Names of the exports to write of each complete film.
        picture_side_px: Longest side of the pictures that are sent; None sends them as they are.
        is_cancelled: Asked several times a second; True ends the run.
        streak: The skips in a row of films before these.

    Raises:
        InferenceError: No more frames can be described. The journals keep what there is.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    pipeline = Pipeline(jobs, engine, timeout_s, picture_side_px)
    try:
        pipeline.start()
        books = _Books(formats, streak or Streak())
        yield from _keep_journals(pipeline, books, is_cancelled)
    finally:
        pipeline.stop()


def _keep_journals(
    pipeline: Pipeline, books: _Books, is_cancelled: Callable[[], bool]
) -> Iterator[Event]:
    """Write what comes out of the pipeline into the journals, and tell of it."""
    all_scanned, told_s = False, time.monotonic()
    while not all_scanned or books.journals:
        if is_cancelled():
            raise KeyboardInterrupt
        if books.journals and time.monotonic() - told_s > _TELL_EVERY_S:
            told_s = time.monotonic()
            yield FilmGoesOn(next(reversed(books.journals)).outcome())
        try:
            message = pipeline.messages.get(timeout=_LOOK_AGAIN_S)
        except Empty:
            continue
        if isinstance(message, Exception):
            raise message
        if isinstance(message, AllScanned):
            all_scanned = True
            continue
        if isinstance(message, Began):
            work = message.work
            books.journals[work] = message.journal
            yield FilmBegan(work.outcome())
        elif isinstance(message, Scanned):
            work = message.work
            work.is_scanned = True
            if work not in books.journals:  # it could not even be opened
                yield FilmEnded(work.outcome())
        else:
            work = message.task.work
            yield from books.enter(message)
        if work in books.journals and work.is_scanned and work.answered == work.asked:
            yield from books.close(work)


class _Books:
    """The journals of the films under way, and the last skips, which are not written yet.

    A skip is held back until something else comes. When too many come in a row for one reason the
    fault is not in the frames, and a later run is to ask about them again.
    """

    def __init__(self, formats: Sequence[str], streak: Streak) -> None:
        self.journals: dict[FilmWork, Journal] = {}
        self._formats = formats
        self._held_back: list[tuple[FilmWork, Scene]] = []
        self._streak = streak

    def enter(self, answer: Answer) -> Iterator[Event]:
        """Take an answer, and tell of the scenes that are in the journals now.

        Raises:
            InferenceError: There were too many equal skips in a row.
        """
        task, outcome = answer.task, answer.outcome
        task.work.answered += 1
        description, skip = (None, outcome) if isinstance(outcome, Skip) else (outcome, None)
        scene = Scene(task.index, task.record, description, skip, answer.elapsed_s)
        if skip is None:
            self._streak.reason, self._streak.length = "", 0
            self._held_back.append((task.work, scene))
            yield from self._write_held_back()
            return
        if skip.reason != self._streak.reason:
            yield from self._write_held_back()
            self._streak.reason, self._streak.length = skip.reason, 0
        self._held_back.append((task.work, scene))
        self._streak.length += 1
        if self._streak.length >= MOST_EQUAL_SKIPS:
            raise InferenceError(
                f"{self._streak.length} frames in a row were skipped as {skip.reason}. "
                f"The last one: {skip.detail}",
                tip="Mend that and run the same command again: it asks about them again.",
            )

    def close(self, work: FilmWork) -> Iterator[Event]:
        """Close the books of a film whose last answer has come."""
        self._look_for_a_film_without_descriptions(work)
        yield from self._write_held_back()
        with closing(self.journals.pop(work)) as journal:
            try:
                _finish(work, journal, self._formats)
            except OutputError as error:
                work.error = error
        work.elapsed_s = time.monotonic() - work.began_s
        yield FilmEnded(work.outcome())

    def _look_for_a_film_without_descriptions(self, work: FilmWork) -> None:
        """Let a film fail of which all frames were skipped for one reason, and write none."""
        skips = [scene.skipped for of, scene in self._held_back if of is work and scene.skipped]
        is_all = len(skips) == work.answered and not work.earlier
        if is_all and len(skips) >= _ENOUGH_TO_TELL and skips[-1].reason != "bad_image":
            self._held_back = [(of, scene) for of, scene in self._held_back if of is not work]
            work.error = work.error or InferenceError(
                f"All {len(skips)} frames were skipped as {skips[-1].reason}. "
                f"The last one: {skips[-1].detail}",
                tip="Mend that and run the same command again: it asks about them again.",
            )

    def _write_held_back(self) -> Iterator[Event]:
        """Write first and tell then: who listens may leave in the middle."""
        held_back, self._held_back = self._held_back, []
        written = []
        for work, scene in held_back:
            if work.error is None:
                try:
                    self.journals[work].append(scene)
                except OutputError as error:  # the disk is full: no line must join a torn one
                    work.error = error
            if work.error is None:
                if scene.skipped:
                    work.skipped[scene.skipped.reason] += 1
                else:
                    work.described += 1
                written.append(SceneDone(work.outcome(), scene))
        yield from written


def _finish(work: FilmWork, journal: Journal, formats: Sequence[str]) -> None:
    """Note that a film is complete, and write its exports."""
    if work.error is None and work.scan is not None:
        report, scenes = work.scan.report, journal.scenes.values()
        journal.finish(
            {
                "scenes": len(scenes),
                "skipped": sum(1 for scene in scenes if scene.skipped),
                "merged": report.merged,
                "damaged": report.damaged,
                "approximate": report.approximate,
            }
        )
        work.exports = export(journal.folder, formats)
