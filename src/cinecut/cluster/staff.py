"""The workers that are there: hired where there is room, let go when they are of no use."""

from __future__ import annotations

import time
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError

from cinecut.cluster.connection import machines
from cinecut.cluster.places import Needs, count_places
from cinecut.cluster.worker import FilmWorker, FindModel, WorkerFailed
from cinecut.errors import CineCutError, ClusterError, ModelError, ServerNotFoundError, VramError
from cinecut.run.session import Observer
from cinecut.run.settings import RunSettings
from cinecut.text import without_home

MOST_FAILURES: Final = 3
"""So many workers may fail over one film, and for each place without a film in between."""

_FAULTS_OF_A_MACHINE: Final = (ModelError, ServerNotFoundError, VramError)
"""What another worker in the same place would meet again."""

_COUNT_PLACES_EVERY_S: Final = 5.0
_SAY_THAT_WE_WAIT_S: Final = 10.0
_END_PATIENCE_S: Final = 25.0
_LONGEST_PAUSE_S: Final = 60.0


class Worker:
    """The driver's end of one worker."""

    def __init__(self, actor: Any) -> None:
        """Take the Ray actor, which may not run yet."""
        self.actor = actor
        self.greeting = actor.greet.remote()
        """Ready when the worker is."""
        self.name = "A worker"

    def start(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Call a method and return the stream of what it yields."""
        stream = getattr(self.actor, method).options(num_returns="streaming")
        return stream.remote(*arguments)

    def next_message(self, stream: Any) -> Any:
        """Return what the worker tells next."""
        try:
            return ray.get(next(stream))
        except StopIteration:  # it was stopped, and not by us
            return WorkerFailed(ClusterError(f"{self.name} was stopped."))
        except RayError as error:
            return WorkerFailed(self.lost(error))

    def lost(self, error: RayError) -> ClusterError:
        """Return how this worker was lost, in one line of what Ray says of it."""
        lines = [line for line in str(error).splitlines() if line.strip()] or ["unknown"]
        # A traceback tells its reason in its last line, Ray's own account in its first.
        has_traceback = isinstance(error, RayTaskError) or "creation task" in lines[0]
        return ClusterError(f"{self.name} was lost: {lines[-1 if has_traceback else 0]}")


class Staff:
    """As many workers as the cluster has room for, machines that join later included."""

    def __init__(
        self,
        settings: RunSettings,
        find_model: FindModel | None,
        needs: Needs,
        observer: Observer,
    ) -> None:
        """Take what a worker is told and needs, and whom to tell."""
        # Three threads: one method that works, one that ends it, and one to spare.
        worker = ray.remote(FilmWorker).options(**needs, max_concurrency=3)
        self._new_actor = lambda: worker.remote(settings, find_model)
        self._needs, self._observer = needs, observer
        self.idle: list[Worker] = []
        """Workers without an item; who gives one an item takes it out."""
        self._expected: list[Worker] = []
        self._useless: list[Worker] = []
        self._places, self._counted_s = 0, -_COUNT_PLACES_EVERY_S
        self._failures_in_a_row = 0
        self._hire_again_s = 0.0
        self._last_failure = "the cluster has no machine any more."
        self._alone_since_s: float | None = time.monotonic()

    @property
    def greetings(self) -> dict[Any, Worker]:
        """The workers that are expected, by what is ready when they are."""
        return {worker.greeting: worker for worker in self._expected}

    @property
    def may_have_a_worker(self) -> bool:
        """Whether a worker without an item is there, or may come."""
        return bool(self._may_hire or self.idle or self._expected)

    @property
    def _may_hire(self) -> bool:
        """Whether another worker may do better than those before."""
        most_failures = MOST_FAILURES * max(1, self._places)
        return self._failures_in_a_row < most_failures and self._places > len(self._useless)

    def hire(self, waiting: int, at_work: int) -> None:
        """Have as many workers as there is room for, and work.

        Args:
            waiting: Items that nobody has.
            at_work: Items that a worker has, and so workers that have one.

        Raises:
            ClusterError: No worker is left, and no other can take its place.
        """
        now_s = time.monotonic()
        if now_s - self._counted_s >= _COUNT_PLACES_EVERY_S:
            self._places, self._counted_s = count_places(machines(), self._needs), now_s
        if not (self.may_have_a_worker or at_work):
            raise ClusterError(
                f"No worker is left. The last failure: {self._last_failure}",
                tip="Mend that, and run the same command again: described frames are kept.",
            )
        living = len(self.idle) + at_work
        if self._may_hire and now_s >= self._hire_again_s:
            wanted = min(self._places - len(self._useless), waiting + at_work)
            for _ in range(living + len(self._expected), wanted):
                self._expected.append(Worker(self._new_actor()))
        if living:
            self._alone_since_s = now_s
        elif self._alone_since_s and now_s - self._alone_since_s > _SAY_THAT_WE_WAIT_S:
            self._observer.notice("Waiting for a worker: the cluster has none ready.")
            self._alone_since_s = None

    def welcome(self, worker: Worker) -> None:
        """Take in a worker whose greeting is ready."""
        self._expected.remove(worker)
        try:
            worker.name = ray.get(worker.greeting)
        except RayError as error:
            self.let_go(worker, worker.lost(error))
        else:
            self.idle.append(worker)
            self._observer.detail(f"{worker.name} is ready.")

    def note_success(self) -> None:
        """Take note that an item was done: failures count anew."""
        self._failures_in_a_row = 0

    def let_go(self, worker: Worker, error: CineCutError) -> None:
        """Take leave of a worker that is of no use any more."""
        self._failures_in_a_row += 1
        self._last_failure = error.cause
        self._observer.notice(without_home(error.cause.splitlines()[0]))
        if isinstance(error, _FAULTS_OF_A_MACHINE):
            self._useless.append(worker)  # it keeps its place: another one there would do no better
            return
        pause_s = min(_LONGEST_PAUSE_S, 0.5 * 2**self._failures_in_a_row)
        self._hire_again_s = time.monotonic() + pause_s
        ray.kill(worker.actor)

    def end(self, at_work: list[Worker]) -> None:
        """End all workers: in order those that can, then whatever is left of them."""
        living = [*self.idle, *at_work]
        try:
            ends = [worker.actor.end.remote() for worker in living]
            if ends:
                ray.wait(ends, num_returns=len(ends), timeout=_END_PATIENCE_S)
        finally:
            for worker in [*living, *self._expected, *self._useless]:
                ray.kill(worker.actor)
