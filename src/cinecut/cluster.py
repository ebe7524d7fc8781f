"""Workers on the machines of a Ray cluster, and work handed out to them: the only door to ray.

The driver is the process that the user started. Each worker is a Ray actor with one GPU, or some
CPUs, that keeps one engine for as long as it lives.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, TypeVar

import ray
from ray.exceptions import AuthenticationError, RayError, RayTaskError

from cinecut.errors import (
    CineCutError,
    ClusterError,
    ModelError,
    ServerNotFoundError,
    VramError,
)
from cinecut.places import Needs, Resources, count_places
from cinecut.session import Observer
from cinecut.settings import RunSettings
from cinecut.worker import FilmWorker, FindModel, Said, WorkerFailed

MOST_TRIES: Final = 3
"""So many workers may fail over one film."""

_FAULTS_OF_A_MACHINE: Final = (ModelError, ServerNotFoundError, VramError)
"""What another worker in the same place would meet again."""

_LOOK_AGAIN_S: Final = 0.2
_COUNT_PLACES_EVERY_S: Final = 5.0
_SAY_THAT_WE_WAIT_S: Final = 10.0
_END_PATIENCE_S: Final = 25.0
_KNOCK_PATIENCE_S: Final = 5.0
_OBJECT_STORE_BYTES: Final = 100 * 2**20  # messages are small; Ray would take a third of the memory
_NOTHING_MORE: Final = object()

Item = TypeVar("Item")


class _Worker:
    """The driver's end of one worker."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.greeting = actor.greet.remote()
        self.name = "A worker"


class WorkerPool:
    """As many workers as the cluster has room for, each with one item at a time.

    A context manager: leaving the block ends the workers.
    """

    def __init__(
        self,
        settings: RunSettings,
        find_model: FindModel | None,
        needs: Needs,
        observer: Observer,
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Take what a worker is told and needs, whom to tell, and whether to stop."""
        # Three threads: one method that works, one that ends it, and one to spare.
        worker = ray.remote(FilmWorker).options(**needs, max_concurrency=3)
        self._new_actor = lambda: worker.remote(settings, find_model)
        self._needs, self._observer, self._is_cancelled = needs, observer, is_cancelled
        self._places, self._counted_s = 0, -_COUNT_PLACES_EVERY_S
        self._places_given_up = 0
        self._failures_in_a_row = 0
        self._last_failure = "the cluster has no machine any more."
        self._expected: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._busy: dict[Any, tuple[_Worker, Any]] = {}
        """Worker and item, by the stream of what the worker tells about the item."""
        self._alone_since_s: float | None = time.monotonic()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers: in order those that can, then whatever is left of them."""
        living = [*self._idle, *(worker for worker, _ in self._busy.values())]
        try:
            ends = [worker.actor.end.remote() for worker in living]
            if ends:
                ray.wait(ends, num_returns=len(ends), timeout=_END_PATIENCE_S)
        finally:
            for worker in [*living, *self._expected]:
                ray.kill(worker.actor)

    def work_on(self, method: str, items: Iterable[Item]) -> Iterator[tuple[Item, Any]]:
        """Call a method of the workers with each of `items`, and yield what it yields.

        A `WorkerFailed` is the last word on its item. None says that the item's worker was lost
        and that the item begins again, behind all others.

        Raises:
            ClusterError: No worker is left, and no other can take its place.
            KeyboardInterrupt: The user said so.
        """
        queue, tries = deque(items), Counter[Item]()
        while queue or self._busy:
            if self._is_cancelled():
                raise KeyboardInterrupt
            self._hire(len(queue))
            while queue and self._idle:
                worker, item = self._idle.pop(), queue.popleft()
                stream = getattr(worker.actor, method).options(num_returns="streaming")
                self._busy[stream.remote(item)] = worker, item
            for stream in self._that_speak():
                worker, item = self._busy.pop(stream)
                message = _next_message(stream, worker)
                if message is _NOTHING_MORE:
                    self._idle.append(worker)
                    self._failures_in_a_row = 0
                    continue
                if isinstance(message, WorkerFailed):
                    tries[item] += 1
                    self._let_go(worker, message.error)
                    if tries[item] < MOST_TRIES and self._has_hope:
                        queue.append(item)
                        message = None
                else:
                    self._busy[stream] = worker, item
                if isinstance(message, Said):
                    getattr(self._observer, message.how)(f"{worker.name}: {message.sentence}")
                else:
                    yield item, message

    @property
    def _has_hope(self) -> bool:
        """Whether there is, or may be, a worker for what is left."""
        may_fail = self._failures_in_a_row < MOST_TRIES * max(1, self._places)
        return may_fail and self._places > self._places_given_up

    def _hire(self, waiting: int) -> None:
        """Have as many workers as there is room and work for, machines that join included."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= _COUNT_PLACES_EVERY_S:
            self._places, self._counted_s = count_places(machines(), self._needs), now_s
        if not self._has_hope and not self._busy:
            raise ClusterError(
                f"No worker is left, and films that are not done: {waiting}. "
                f"The last failure: {self._last_failure}",
                tip="Mend that, and run the same command again: described frames are kept.",
            )
        living = len(self._idle) + len(self._busy)
        wanted = min(self._places - self._places_given_up, waiting + len(self._busy))
        for _ in range(living + len(self._expected), wanted):
            self._expected.append(_Worker(self._new_actor()))
        if living:
            self._alone_since_s = now_s
        elif self._alone_since_s and now_s - self._alone_since_s > _SAY_THAT_WE_WAIT_S:
            self._observer.notice("Waiting for the cluster: it has no room for a worker now.")
            self._alone_since_s = None

    def _that_speak(self) -> list[Any]:
        """Return one stream that has something to tell, or none after a moment."""
        greetings = {worker.greeting: worker for worker in self._expected}
        waiting = [*greetings, *self._busy]
        if not waiting:
            time.sleep(_LOOK_AGAIN_S)
            return []
        ready, _ = ray.wait(waiting, num_returns=1, timeout=_LOOK_AGAIN_S)
        for one in ready:
            if one in greetings:
                self._welcome(greetings[one])
        return [one for one in ready if one in self._busy]

    def _welcome(self, worker: _Worker) -> None:
        self._expected.remove(worker)
        try:
            worker.name = ray.get(worker.greeting)
        except RayError as error:
            self._let_go(worker, _lost(worker, error))
        else:
            self._idle.append(worker)
            self._observer.detail(f"{worker.name} is ready.")

    def _let_go(self, worker: _Worker, error: CineCutError) -> None:
        """Take leave of a worker that is of no use any more."""
        self._failures_in_a_row += 1
        self._last_failure = error.cause
        if isinstance(error, _FAULTS_OF_A_MACHINE):
            self._places_given_up += 1
        self._observer.notice(error.cause)
        ray.kill(worker.actor)


def _next_message(stream: Any, worker: _Worker) -> Any:
    """Return what a worker tells next."""
    try:
        return ray.get(next(stream))
    except StopIteration:
        return _NOTHING_MORE
    except RayTaskError:  # a bug in our own code
        raise
    except RayError as error:
        return WorkerFailed(_lost(worker, error))


def _lost(worker: _Worker, error: RayError) -> ClusterError:
    reason = next((line for line in str(error).splitlines() if line.strip()), "unknown")
    return ClusterError(f"{worker.name} was lost: {reason}")


def machines() -> list[Resources]:
    """Return what each machine of the cluster has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster while the block runs.

    Args:
        address: "auto" for the cluster that this machine belongs to, `HOST:PORT` of a cluster's
            head, or "local" to start Ray on this machine alone and end it again; what
            `ray_environment.prepare` was given before this module was imported.

    Raises:
        ClusterError: There is none, or it does not let us in.
    """
    if address not in {"auto", "local"}:
        _knock(address)
    before = signal.getsignal(signal.SIGTERM)
    with tempfile.TemporaryDirectory(prefix="cinecut-", ignore_cleanup_errors=True) as folder:
        options: dict[str, Any] = {"address": address}
        if address == "local":
            options |= {
                "_temp_dir": folder,  # else it leaves its logs in /tmp/ray
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
            }
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            ray.shutdown()
            raise _refusal(error) from error
        signal.signal(signal.SIGTERM, before)  # Ray's own would leave without ending the workers
        try:
            # Ray prints what it thinks of a lost worker to stdout, and has no switch for it.
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
                yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody answers; Ray itself tries for two minutes and fills the screen."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _KNOCK_PATIENCE_S).close()
    except (OSError, ValueError) as error:
        tip = "Name HOST:PORT of the cluster's head, or run this on a machine of it: --cluster auto"
        raise ClusterError(f"Nobody answers at {address}: {error}", tip=tip) from error


def _refusal(error: Exception) -> ClusterError:
    """Return why Ray does not let us in; it tells of a missing token in a cause's text only."""
    cause: BaseException | None = error
    while cause is not None:
        if AuthenticationError.__name__ in str(cause):
            return ClusterError(
                "The cluster asks for a token.",
                check="That ~/.ray/auth_token is the same on all machines of the cluster.",
                tip="export RAY_AUTH_MODE=token, or --cluster auto on a machine of the cluster",
            )
        cause = cause.__cause__ or cause.__context__
    return ClusterError(str(error))
