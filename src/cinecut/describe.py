"""Joins the stages: films in, journals and a stream of events out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty
from typing import Final

from cinecut.errors import InferenceError, OutputError
from cinecut.inference import LlavaEngine
from cinecut.jobs import FilmJob
from cinecut.models import Skip
from cinecut.pipeline import AllScanned, Answer, Began, FilmWork, Pipeline, Scanned
from cinecut.results.exports import export
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene

MOST_EQUAL_SKIPS: Final = 20
"""So many skips in a row for one reason end the run: the fault is not in the frames."""

_LOOK_AGAIN_S: Final = 0.1


@dataclass(frozen=True)
class FilmBegan:
    """A film has been opened; its scenes follow."""

    work: FilmWork


@dataclass(frozen=True)
class SceneDone:
    """A scene is in the journal."""

    work: FilmWork
    scene: Scene


@dataclass(frozen=True)
class FilmEnded:
    """A film is complete, or has failed with `work.error`."""

    work: FilmWork


Event = FilmBegan | SceneDone | FilmEnded


def describe_films(
    jobs: Sequence[FilmJob],
    engine: LlavaEngine,
    *,
    timeout_s: float,
    formats: Sequence[str] = (),
    picture_side_px: int | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
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

    Raises:
        InferenceError: No more frames can be described. The journals keep what there is.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    pipeline = Pipeline(jobs, engine, timeout_s, picture_side_px)
    try:
        pipeline.start()
        yield from _keep_journals(pipeline, formats, is_cancelled)
    finally:
        pipeline.stop()


def _keep_journals(
    pipeline: Pipeline, formats: Sequence[str], is_cancelled: Callable[[], bool]
) -> Iterator[Event]:
    """Write what comes out of the pipeline into the journals, and tell of it."""
    journals: dict[FilmWork, Journal] = {}
    all_scanned, streak = False, ("", 0)
    while not all_scanned or journals:
        if is_cancelled():
            raise KeyboardInterrupt
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
            journals[work] = message.journal
            yield FilmBegan(work)
        elif isinstance(message, Scanned):
            work = message.work
            work.is_scanned = True
            if work not in journals:  # it could not even be opened
                yield FilmEnded(work)
        else:
            work = message.task.work
            scene = _write(message, journals[work])
            if scene is not None:
                yield SceneDone(work, scene)
                streak = _longer_streak(streak, scene.skipped)
        if work in journals and work.is_scanned and work.answered == work.asked:
            _complete(work, journals.pop(work), formats)
            yield FilmEnded(work)


def _write(answer: Answer, journal: Journal) -> Scene | None:
    """Put an answer into its film's journal; None where that film has failed."""
    task, outcome = answer.task, answer.outcome
    work = task.work
    work.answered += 1
    description, skip = (None, outcome) if isinstance(outcome, Skip) else (outcome, None)
    scene = Scene(task.index, task.record, description, skip, answer.elapsed_s)
    if work.error is None:
        try:
            journal.append(scene)
        except OutputError as error:  # the disk is full: later lines must not join a torn one
            work.error = error
    if work.error is not None:
        return None
    if skip:
        work.skipped[skip.reason] += 1
    else:
        work.described += 1
    return scene


def _longer_streak(streak: tuple[str, int], skip: Skip | None) -> tuple[str, int]:
    """Return the reason of the last skips in a row, and how many there are now.

    Raises:
        InferenceError: There are too many for the fault to lie in the frames.
    """
    if skip is None:
        return "", 0
    length = streak[1] + 1 if streak[0] == skip.reason else 1
    if length >= MOST_EQUAL_SKIPS:
        raise InferenceError(
            f"{length} frames in a row were skipped as {skip.reason}. The last one: {skip.detail}"
        )
    return skip.reason, length


def _complete(work: FilmWork, journal: Journal, formats: Sequence[str]) -> None:
    """Close the books of a film whose last answer has come."""
    try:
        if work.error is None and work.scan is not None:
            report = work.scan.report
            scenes = journal.scenes.values()
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
    except OutputError as error:
        work.error = error
    finally:
        journal.close()
    work.elapsed_s = time.monotonic() - work.began_s
