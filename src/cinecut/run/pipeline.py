"""Runs the stages side by side: one thread decodes, one thread a slot asks the server."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, Final
from weakref import WeakSet

from cinecut.errors import CineCutError, OutputError
from cinecut.film.keyframes import KeyframeScan
from cinecut.film.picture.jpeg import fit_jpeg
from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.models import KeyframeRecord, Skip
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene, passed_over
from cinecut.run.jobs import FilmJob
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.repeats import Repeats

_LOOK_AGAIN_S: Final = 0.1


@dataclass(eq=False)
class FilmWork:
    """One film while it is described, and what came of it; its numbers grow meanwhile."""

    job: FilmJob
    scan: KeyframeScan | None = None
    """For the film's facts and the position in it; None before the film was opened."""
    to_do: int = 0
    """Keyframes found that have no scene yet, those done meanwhile included."""
    answered: int = 0
    """Keyframes that came back from the model."""
    same: int = 0
    """Keyframes that took the description of one that looks the same."""
    earlier: int = 0
    """Keyframes that an earlier run has left in the journal, skipped ones too."""
    resumed: int = 0
    """Scenes that an earlier run has left in the journal."""
    described: int = 0
    """Scenes described by this run."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Skipped keyframes, an earlier run's too, by reason."""
    shortened: int = 0
    """Scenes with a text that was cut off at its bound; known when the film is complete."""
    circular: int = 0
    """Scenes whose description repeats itself; known when the film is complete."""
    done: dict[int, Scene] = field(default_factory=dict)
    """What has become of each keyframe, an earlier run's too, by its place in the film."""
    stand_ins: dict[int, int] = field(default_factory=dict)
    """Who is asked about, or was, instead of a keyframe that has no description."""
    is_scanned: bool = False
    replaces_another_run: bool = False
    notices: tuple[str, ...] = ()
    """What the user should know about the film's journal."""
    error: CineCutError | None = None
    exports: list[Path] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)
    elapsed_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all of its keyframes are done."""
        return self.is_scanned and self.answered + self.same == self.to_do

    def note_earlier(self, index: int, scene: Scene, first: int | None) -> None:
        """Count a scene that is in the journal already; `first` looks the same, if any does."""
        self.earlier += 1
        self.done[index] = scene
        before = None if first is None else self.done.get(first)
        if first is not None and before and scene.description and not before.description:
            self.stand_ins.setdefault(first, index)
        if scene.skipped:
            self.skipped[scene.skipped.reason] += 1
        else:
            self.resumed += 1

    def outcome(self) -> FilmOutcome:
        """Return what has become of the film so far."""
        return FilmOutcome(
            self.job.path,
            self.job.folder,
            described=self.described,
            resumed=self.resumed,
            skipped=dict(self.skipped),
            same=self.same,
            shortened=self.shortened,
            circular=self.circular,
            answered=self.answered,
            elapsed_s=self.elapsed_s or time.monotonic() - self.began_s,
            replaces_another_run=self.replaces_another_run,
            exports=tuple(self.exports),
            error=self.error,
            **self._facts_of_scan(),
        )

    def _facts_of_scan(self) -> dict[str, Any]:
        if self.scan is None:
            return {}
        report, duration_s = self.scan.report, self.scan.info.duration_s
        return {
            "merged": report.merged,
            "position_s": report.position_s * self._share_done(),
            "duration_s": duration_s,
            "notices": (*self.notices, *report.notices),
        }

    def _share_done(self) -> float:
        """Return the share that is done of the keyframes that have been found."""
        found = self.earlier + self.to_do
        return (self.earlier + self.answered + self.same) / found if found else 1.0


@dataclass(frozen=True)
class Task:
    """A keyframe to describe."""

    work: FilmWork
    index: int
    """Its place among the film's keyframes."""
    turn: int
    """Its place among those that this run has to do."""
    record: KeyframeRecord
    first: int | None
    """The place of the first keyframe that looks the same, if there is one."""


@dataclass(frozen=True)
class Began:
    """A film and its journal have been opened."""

    work: FilmWork
    journal: Journal


@dataclass(frozen=True)
class Answer:
    """What the model says about a keyframe, or why it says nothing."""

    task: Task
    outcome: SceneDescription | Skip
    elapsed_s: float


@dataclass(frozen=True)
class Repeat:
    """A keyframe that looks like an earlier one of its film: no request is made for it yet."""

    task: Task


@dataclass(frozen=True)
class Scanned:
    """Of a film no more tasks will come."""

    work: FilmWork


class AllScanned:
    """Of no film more tasks will come."""


Message = Began | Answer | Repeat | Scanned | AllScanned | FilmOutcome | Exception
"""What comes out of the pipeline; an outcome is that of a film which was not to be described."""


class Pipeline:
    """The threads between films and journals, and the queues that hold them back."""

    def __init__(
        self,
        films: Iterable[FilmJob | FilmOutcome],
        engine: LlavaEngine,
        timeout_s: float,
        side_px: int | None,
    ) -> None:
        """Take the films, the engine, seconds for a frame, and the side of pictures in pixels.

        What is no job, but what has become of a film, is passed on as it is.
        """
        self.messages: Queue[Message] = Queue()
        self._journals: WeakSet[Journal] = WeakSet()
        """Those that may be open; one that nobody has any more must not be held for its scenes."""
        self._films, self._engine = films, engine
        self._timeout_s, self._side_px = timeout_s, side_px
        self._tasks: Queue[Task] = Queue(maxsize=engine.slots)
        self._urgent: Queue[Task] = Queue()
        self._stopped = threading.Event()
        self._scanner = threading.Thread(target=self._scan_all, daemon=True)

    def start(self) -> None:
        """Start the threads; what they find comes out of `messages`."""
        self._scanner.start()
        for _ in range(self._engine.slots):
            # Not joined: one that waits for a reply is let go by the end of the server.
            threading.Thread(target=self._ask_all, daemon=True).start()

    def ask(self, task: Task) -> None:
        """Have the model asked about this one next."""
        self._urgent.put(task)

    def stop(self) -> None:
        """End the scan and close the journals; replies under way are not waited for."""
        self._stopped.set()
        try:
            if self._scanner.is_alive():
                self._scanner.join()
        finally:  # also when an impatient user interrupts the waiting
            for journal in list(self._journals):
                journal.close()

    def _scan_all(self) -> None:
        try:
            for film in self._films:
                if self._stopped.is_set():
                    return
                if isinstance(film, FilmOutcome):
                    self.messages.put(film)
                    continue
                work = FilmWork(film)
                try:
                    self._scan(work)
                except CineCutError as error:
                    work.error = error
                self.messages.put(Scanned(work))
            self.messages.put(AllScanned())
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self.messages.put(error)

    def _scan(self, work: FilmWork) -> None:
        job = work.job
        # The film before its results folder: what is no film leaves nothing behind.
        with KeyframeScan(
            job.path, job.frames_folder, job.keyframes, is_cancelled=self._stopped.is_set
        ) as scan:
            journal = Journal(job.folder, job.run, fresh=job.fresh, patience_s=job.patience_s)
            self._journals.add(journal.open())
            work.scan, work.replaces_another_run = scan, journal.replaced_another_run
            if journal.passed_over:
                work.notices = (passed_over(journal.passed_over),)
            self.messages.put(Began(work, journal))
            repeats = None if job.keyframes.keep_duplicates else Repeats()
            for index, record in enumerate(scan):
                first = repeats.first_like(index, record) if repeats else None
                if scene := journal.find(record.timestamp_s):
                    work.note_earlier(index, scene, first)
                elif work.error:
                    return
                else:
                    task = Task(work, index, work.to_do, record, first)
                    work.to_do += 1
                    if first is not None:
                        self.messages.put(Repeat(task))
                    elif not self._hand_over(task):
                        return

    def _hand_over(self, task: Task) -> bool:
        while not self._stopped.is_set():
            with suppress(Full):
                self._tasks.put(task, timeout=_LOOK_AGAIN_S)
                return True
        return False

    def _ask_all(self) -> None:
        while not self._stopped.is_set():
            with suppress(Empty):
                task = self._next_task()
                try:
                    self.messages.put(self._ask(task))
                except KeyboardInterrupt:  # cancelled while its server was being started anew
                    return
                except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                    self.messages.put(error)

    def _next_task(self) -> Task:
        with suppress(Empty):
            return self._urgent.get_nowait()
        return self._tasks.get(timeout=_LOOK_AGAIN_S)

    def _ask(self, task: Task) -> Answer:
        began_s = time.monotonic()
        path = Path(task.record.frame_path)
        try:
            picture = path.read_bytes()
        except OSError as error:  # somebody has cleaned up meanwhile
            raise OutputError(path, error.strerror or str(error)) from error
        if self._side_px is not None:
            picture = fit_jpeg(picture, self._side_px)
        outcome = self._engine.describe(picture, self._timeout_s)
        return Answer(task, outcome, time.monotonic() - began_s)
