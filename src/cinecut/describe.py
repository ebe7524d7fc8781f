"""Joins the stages: films in, journals and a stream of events out."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Final

from cinecut.errors import CineCutError, InferenceError, OutputError
from cinecut.film.keyframes import KeyframeScan
from cinecut.film.pictures import fit_jpeg
from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.jobs import FilmJob
from cinecut.models import KeyframeRecord, Skip
from cinecut.results.exports import export
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene

MOST_EQUAL_SKIPS: Final = 20
"""So many skips in a row for one reason end the run: the fault is not in the frames."""

_LOOK_AGAIN_S: Final = 0.1


@dataclass(eq=False)
class FilmWork:
    """One film while it is described, and what came of it; its numbers grow meanwhile."""

    job: FilmJob
    scan: KeyframeScan | None = None
    """For the film's facts and the position in it; None before the film was opened."""
    asked: int = 0
    """Keyframes that went, or are to go, to the model."""
    answered: int = 0
    """Keyframes that came back from the model."""
    resumed: int = 0
    """Keyframes whose scene an earlier run has left in the journal."""
    described: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Skips of this run, by reason."""
    is_scanned: bool = False
    replaces_another_run: bool = False
    error: CineCutError | None = None
    exports: list[Path] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)
    elapsed_s: float = 0.0


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
) -> Iterator[Event]:
    """Describe films one after the other and yield what happens.

    One thread decodes, `engine.slots` threads ask the server, and the caller's thread writes the
    journals. When all slots are busy the decoder waits. The next film is being decoded while the
    last frames of the one before are being described. A film that cannot be read ends with its
    error, and the next one goes on.

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
    pipeline = _Pipeline(jobs, engine, timeout_s, picture_side_px)
    try:
        pipeline.start()
        yield from _keep_journals(pipeline, formats, is_cancelled)
    finally:
        pipeline.stop()


@dataclass(frozen=True)
class _Task:
    work: FilmWork
    index: int
    record: KeyframeRecord


@dataclass(frozen=True)
class _Began:
    work: FilmWork
    journal: Journal


@dataclass(frozen=True)
class _Answer:
    task: _Task
    outcome: SceneDescription | Skip
    elapsed_s: float


@dataclass(frozen=True)
class _Scanned:
    """Of a film no more tasks will come."""

    work: FilmWork


class _AllScanned:
    """Of no film more tasks will come."""


class _Pipeline:
    """The threads between films and journals, and the queues that hold them back."""

    def __init__(
        self, jobs: Sequence[FilmJob], engine: LlavaEngine, timeout_s: float, side_px: int | None
    ) -> None:
        self.messages: Queue[_Began | _Answer | _Scanned | _AllScanned | Exception] = Queue()
        self.journals = ExitStack()
        self._jobs, self._engine = jobs, engine
        self._timeout_s, self._side_px = timeout_s, side_px
        self._tasks: Queue[_Task] = Queue(maxsize=engine.slots)
        self._stopped = threading.Event()
        self._scanner = threading.Thread(target=self._scan_all, daemon=True)

    def start(self) -> None:
        self._scanner.start()
        for _ in range(self._engine.slots):
            # Not joined: one that waits for a reply is let go by the end of the server.
            threading.Thread(target=self._ask_all, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._scanner.is_alive():
            self._scanner.join()
        self.journals.close()

    def _scan_all(self) -> None:
        try:
            for job in self._jobs:
                work = FilmWork(job)
                try:
                    self._scan(work)
                except CineCutError as error:
                    work.error = error
                self.messages.put(_Scanned(work))
            self.messages.put(_AllScanned())
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self.messages.put(error)

    def _scan(self, work: FilmWork) -> None:
        job = work.job
        if self._stopped.is_set():
            return
        # The film before its results folder: what is no film leaves nothing behind.
        with KeyframeScan(
            job.path, job.frames_folder, job.keyframes, is_cancelled=self._stopped.is_set
        ) as scan:
            journal = self.journals.enter_context(Journal(job.folder, job.run, fresh=job.fresh))
            work.scan, work.replaces_another_run = scan, journal.replaced_another_run
            self.messages.put(_Began(work, journal))
            for index, record in enumerate(scan):
                if journal.holds(record.timestamp_s):
                    work.resumed += 1
                elif work.error or not self._hand_over(_Task(work, index, record)):
                    return

    def _hand_over(self, task: _Task) -> bool:
        task.work.asked += 1
        while not self._stopped.is_set():
            with suppress(Full):
                self._tasks.put(task, timeout=_LOOK_AGAIN_S)
                return True
        return False

    def _ask_all(self) -> None:
        while not self._stopped.is_set():
            with suppress(Empty):
                task = self._tasks.get(timeout=_LOOK_AGAIN_S)
                try:
                    self.messages.put(self._ask(task))
                except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                    self.messages.put(error)

    def _ask(self, task: _Task) -> _Answer:
        began_s = time.monotonic()
        picture = Path(task.record.frame_path).read_bytes()
        if self._side_px is not None:
            picture = fit_jpeg(picture, self._side_px)
        outcome = self._engine.describe(picture, self._timeout_s)
        return _Answer(task, outcome, time.monotonic() - began_s)


def _keep_journals(
    pipeline: _Pipeline, formats: Sequence[str], is_cancelled: Callable[[], bool]
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
        if isinstance(message, _AllScanned):
            all_scanned = True
            continue
        if isinstance(message, _Began):
            work = message.work
            journals[work] = message.journal
            yield FilmBegan(work)
        elif isinstance(message, _Scanned):
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


def _write(answer: _Answer, journal: Journal) -> Scene | None:
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
