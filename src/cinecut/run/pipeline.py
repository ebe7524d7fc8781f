"""Runs the stages side by side: one thread decodes, one thread a slot asks the server."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Final
from weakref import WeakSet

from cinecut.errors import CineCutError, OutputError
from cinecut.film.keyframes import KeyframeScan
from cinecut.film.picture.jpeg import fit_jpeg
from cinecut.film.picture.look import look_at
from cinecut.film.picture.strip import join_jpegs
from cinecut.film.reading.hardware import Hardware
from cinecut.inference import LlavaEngine, SceneDescription
from cinecut.models import DialogueLine, KeyframeRecord, Moment, Skip
from cinecut.results.journal import Journal
from cinecut.results.scenes import passed_over
from cinecut.run.jobs import FilmJob
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.repeats import Repeats
from cinecut.run.work import FilmWork

_LOOK_AGAIN_S: Final = 0.1
# Shots are of all lengths: with fewer, a slot would be idle now and the decoder have waited before.
_AHEAD: Final = 4


@dataclass(frozen=True)
class Task:
    """A keyframe to describe."""

    work: FilmWork
    index: int
    """Its place among the film's keyframes."""
    turn: int
    """Its place among those that this run has to do."""
    record: KeyframeRecord
    dialogue: tuple[DialogueLine, ...]
    """What is said meanwhile."""
    said: str
    """What the model is told of it."""
    moments: tuple[Moment, ...]
    """Other pictures of its shot."""
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


Message = Began | Answer | Repeat | Scanned | AllScanned | FilmOutcome | FilmJob | Exception
"""What comes out of the pipeline; an outcome is that of a film which was not to be described.

A job is that of a film which is described already, and wants more made of its scenes.
"""


class Pipeline:
    """The threads between films and journals, and the queues that hold them back."""

    def __init__(
        self,
        films: Iterable[FilmJob | FilmOutcome],
        engine: LlavaEngine,
        timeout_s: float,
        side_px: int | None,
        hardware: Hardware | None = None,
    ) -> None:
        """Take the films, the engine, seconds for a frame, the side of pictures, and the decoder.

        What is no job, but what has become of a film, is passed on as it is.
        """
        self.messages: Queue[Message] = Queue()
        self._journals: WeakSet[Journal] = WeakSet()
        """Those that may be open; one that nobody has any more must not be held for its scenes."""
        self._films, self._engine = films, engine
        self._timeout_s, self._side_px, self._hardware = timeout_s, side_px, hardware
        self._tasks: Queue[Task] = Queue(maxsize=max(engine.slots, _AHEAD))
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
                if isinstance(film, FilmOutcome) or film.finished:
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
        with self._open(job) as scan:
            journal = Journal(job.folder, job.run, fresh=job.fresh, patience_s=job.patience_s)
            self._journals.add(journal.open())
            work.scan, work.replaces_another_run = scan, journal.replaced_another_run
            if journal.passed_over:
                work.notices = (passed_over(journal.passed_over),)
            if self._engine.prompt.tells_dialogue and scan.report.subtitle_source is None:
                work.notices += ("It has no subtitles: the model is told of no dialogue.",)
            self.messages.put(Began(work, journal))
            # Pictures that look the same are asked about anew where other words go with them.
            repeats: defaultdict[str, Repeats] = defaultdict(Repeats)
            for index, (record, dialogue, moments) in enumerate(
                work.stages.each("decoding", (job.head_start or scan).in_full())
            ):
                said = self._engine.prompt.words_at(record.timestamp_s, dialogue)
                first, look = None, look_at(Path(record.frame_path))
                if look is not None:
                    work.thumbs[index] = look.thumb
                    # What looks the same may move otherwise: only stills are told apart by a look.
                    if not job.keyframes.keep_duplicates and not moments:
                        first = repeats[said].first_like(index, look)
                if scene := journal.find(record.timestamp_s):
                    work.note_earlier(index, scene, first)
                elif work.error:
                    return
                else:
                    task = Task(work, index, work.to_do, record, dialogue, said, moments, first)
                    work.to_do += 1
                    if first is not None:
                        self.messages.put(Repeat(task))
                    elif not self._hand_over(task):
                        return

        if job.head_start is not None:
            work.stages.add("decoding", job.head_start.elapsed_s)

    def _open(self, job: FilmJob) -> AbstractContextManager[KeyframeScan]:
        if job.head_start is not None:
            return job.head_start.taken(self._stopped.is_set)
        return KeyframeScan(
            *(job.path, job.frames_folder, job.keyframes),
            hardware=self._hardware,
            is_cancelled=self._stopped.is_set,
        )

    def _hand_over(self, task: Task) -> bool:
        with task.work.stages.spent("waiting"):
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
        own = Moment(task.record.timestamp_s, picture)
        shown = sorted((own, *task.moments), key=lambda moment: moment.timestamp_s)
        outcome = self._describe([moment.jpeg for moment in shown], task.said)
        return Answer(task, outcome, time.monotonic() - began_s)

    def _describe(self, pictures: list[bytes], said: str) -> SceneDescription | Skip:
        """Ask about the pictures of a shot as the model takes them."""
        prompt, is_down = self._engine.prompt, True
        moments = len(pictures)
        if moments > 1 and not prompt.takes_several:
            try:
                strip, is_down = join_jpegs(pictures)
            except ValueError as error:
                return Skip("bad_image", f"The pictures of its shot make no strip: {error}")
            pictures = [strip]
        if self._side_px is not None:
            pictures = [fit_jpeg(one, self._side_px) for one in pictures]
        note = prompt.note_on(moments, is_down=is_down)
        return self._engine.describe(pictures, self._timeout_s, said, note)
