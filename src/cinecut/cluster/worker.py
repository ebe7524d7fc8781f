"""A worker of a cluster: describes the films it is given, one after the other, with one engine."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from typing import Final, Literal

from cinecut.errors import CineCutError, ClusterError, FilmError
from cinecut.film.reading.info import length_s
from cinecut.run.events import Event, FilmGoesOn
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.session import Session
from cinecut.run.settings import RunSettings

FindModel = Callable[[], tuple[Path, Path]]
"""Finds model and mmproj on the machine where it is called."""

_END_PATIENCE_S: Final = 20.0
_LOOK_AT_PARENT_S: Final = 0.5


@dataclass(frozen=True)
class Said:
    """A sentence of a worker, to be passed on as an `Observer` takes it."""

    how: Literal["notice", "detail", "tell"]
    sentence: str


@dataclass(frozen=True)
class WorkerFailed:
    """No film can be described here any more, for this reason."""

    error: CineCutError


@dataclass(frozen=True)
class Lengths:
    """How long films are."""

    seconds: Mapping[Path, float]
    """0 for one that does not tell."""


LastWord = FilmOutcome | WorkerFailed | Lengths
Message = Said | Event | LastWord
"""What a worker tells; nothing follows the last word on what it was given."""


class FilmWorker:
    """Describes films in a thread of its own; the model is loaded for the first that needs it.

    Its methods may be called from different threads, and `describe` for one film at a time.
    """

    def __init__(self, settings: RunSettings, find_model: FindModel | None) -> None:
        """Take how films are described, and how to find the model; None if a server has it."""
        self.name = f"{platform.node() or 'a machine'}:{os.getpid()}"
        self._settings, self._find_model = settings, find_model
        self._stopped = threading.Event()
        self._films: Queue[tuple[Path, bool] | None] = Queue()
        self._messages: Queue[Message | Exception] = Queue()
        self._thread = threading.Thread(target=self._work, name="films", daemon=True)
        self._thread.start()
        threading.Thread(target=self._leave_with_parent, name="parent", daemon=True).start()

    def greet(self) -> str:
        """Return who this is: `machine:process`."""
        return self.name

    def lengths(self, films: Sequence[Path]) -> Iterator[Lengths]:
        """Yield the lengths of `films`."""
        lengths = {}
        for film in films:
            try:
                lengths[film] = length_s(film) or 0.0
            except FilmError:  # is told when its turn comes
                lengths[film] = 0.0
        yield Lengths(lengths)

    def describe(self, film: Path, goes_on: bool) -> Iterator[Message]:
        """Describe `film`, and yield what happens as it happens.

        Args:
            film: The film.
            goes_on: Whether a worker that was lost has begun it for the same command.
        """
        self._films.put((film, goes_on))
        while True:
            message = self._messages.get()
            if isinstance(message, Exception):
                raise message
            yield message
            if isinstance(message, FilmOutcome | WorkerFailed):
                return

    def end(self) -> None:
        """End the film under way and the engine in order; described frames are kept."""
        self._stopped.set()
        self._films.put(None)
        self._thread.join(_END_PATIENCE_S)

    def _leave_with_parent(self) -> None:
        """End the engine in order if the process dies that keeps the workers of this machine."""
        parent = os.getppid()
        while os.getppid() == parent:  # on Windows it always is
            if self._stopped.wait(_LOOK_AT_PARENT_S):
                return
        self.end()

    def _work(self) -> None:
        try:
            with Session(self._settings_here(), _Reporter(self), self._stopped.is_set) as session:
                while (given := self._films.get()) is not None:
                    film, goes_on = given
                    for outcome in session.describe([film], goes_on=goes_on):
                        self.tell(self._named(outcome))
        except CineCutError as error:
            self.tell(WorkerFailed(error.on(self.name)))
        except KeyboardInterrupt:
            self.tell(WorkerFailed(ClusterError(f"{self.name} was stopped.")))
        except Exception as error:  # noqa: BLE001 - a bug; raised again where the film was asked for
            self._messages.put(error)

    def tell(self, message: Message) -> None:
        """Pass on what happens."""
        self._messages.put(message)

    def _settings_here(self) -> RunSettings:
        if self._find_model is None:
            return self._settings
        model, mmproj = self._find_model()
        return replace(self._settings, model=model, mmproj=mmproj)

    def _named(self, outcome: FilmOutcome) -> FilmOutcome:
        error = outcome.error and outcome.error.on(self.name)
        return replace(outcome, worker=self.name, error=error)


class _Reporter:
    """The `Observer` of a worker's session: whatever it is told becomes a message."""

    def __init__(self, worker: FilmWorker) -> None:
        self._worker = worker

    def notice(self, sentence: str) -> None:
        self._worker.tell(Said("notice", sentence))

    def detail(self, sentence: str) -> None:
        self._worker.tell(Said("detail", sentence))

    def tell(self, sentence: str) -> None:
        self._worker.tell(Said("tell", sentence))

    def show(self, event: Event) -> None:
        if not isinstance(event, FilmGoesOn):  # a library's progress is counted in films
            self._worker.tell(event)

    def loading(self, name: str, size_bytes: int) -> AbstractContextManager[None]:
        return nullcontext()

    def live(self) -> AbstractContextManager[None]:
        return nullcontext()
