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
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, TypeVar

import ray
from ray.exceptions import AuthenticationError, RayError, RayTaskError

from cinecut.cluster.places import Needs, Resources, count_places
from cinecut.cluster.worker import FilmWorker, FindModel, LastWord, Said, WorkerFailed
from cinecut.errors import CineCutError, ClusterError, ModelError, ServerNotFoundError, VramError
from cinecut.run.session import Observer
from cinecut.run.settings import RunSettings
from cinecut.text import without_home

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
_LONGEST_PAUSE_S: Final = 60.0

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
        self._failures_in_a_row = 0
        self._hire_again_s = 0.0
        self._last_failure = "the cluster has no machine any more."
        self._expected: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._useless: list[_Worker] = []
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
            for worker in [*living, *self._expected, *self._useless]:
                ray.kill(worker.actor)

    def work_on(
        self,
        method: str,
        items: Iterable[Item],
        arguments: Callable[[Item], tuple[Any, ...]] = lambda item: (item,),
    ) -> Iterator[tuple[Item, Any]]:
        """Call a method of the workers for each of `items`, and yield what it yields.

        A `WorkerFailed` is the last word on its item. None says that the item's worker was lost
        and that the item begins again, behind all others; its `arguments` are asked for then.

        Raises:
            ClusterError: No worker is left, and no other can take its place.
            KeyboardInterrupt: The user said so.
        """
        queue, tries = deque(items), Counter[Item]()
        self._failures_in_a_row = 0
        while queue or self._busy:
            if self._is_cancelled():
                raise KeyboardInterrupt
            self._hire(len(queue))
            while queue and self._idle:
                worker, item = self._idle.pop(), queue.popleft()
                stream = getattr(worker.actor, method).options(num_returns="streaming")
                self._busy[stream.remote(*arguments(item))] = worker, item
            for stream in self._that_speak():
                worker, item = self._busy[stream]
                message = _next_message(stream, worker)
                del self._busy[stream]
                if isinstance(message, WorkerFailed):
                    tries[item] += 1
                    self._let_go(worker, message.error)
                    if tries[item] < MOST_TRIES and (self._may_hire or self._has_workers):
                        queue.append(item)
                        message = None
                elif isinstance(message, LastWord):
                    self._idle.append(worker)
                    self._failures_in_a_row = 0
                else:
                    self._busy[stream] = worker, item  # behind the others: each has its turn
                if isinstance(message, Said):
                    getattr(self._observer, message.how)(f"{worker.name}: {message.sentence}")
                else:
                    yield item, message

    @property
    def _may_hire(self) -> bool:
        """Whether another worker may do better than those before."""
        most_failures = MOST_TRIES * max(1, self._places)
        return self._failures_in_a_row < most_failures and self._places > len(self._useless)

    @property
    def _has_workers(self) -> bool:
        return bool(self._idle or self._busy or self._expected)

    def _hire(self, waiting: int) -> None:
        """Have as many workers as there is room and work for, machines that join included."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= _COUNT_PLACES_EVERY_S:
            self._places, self._counted_s = count_places(machines(), self._needs), now_s
        if not self._may_hire and not self._has_workers:
            raise ClusterError(
                f"No worker is left. The last failure: {self._last_failure}",
                tip="Mend that, and run the same command again: described frames are kept.",
            )
        living = len(self._idle) + len(self._busy)
        if self._may_hire and now_s >= self._hire_again_s:
            wanted = min(self._places - len(self._useless), waiting + len(self._busy))
            for _ in range(living + len(self._expected), wanted):
                self._expected.append(_Worker(self._new_actor()))
        if living:
            self._alone_since_s = now_s
        elif self._alone_since_s and now_s - self._alone_since_s > _SAY_THAT_WE_WAIT_S:
            self._observer.notice("Waiting for a worker: the cluster has none ready.")
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
        self._observer.notice(without_home(error.cause.splitlines()[0]))
        if isinstance(error, _FAULTS_OF_A_MACHINE):
            self._useless.append(worker)  # it keeps its place: another one there would do no better
            return
        pause_s = min(_LONGEST_PAUSE_S, 0.5 * 2**self._failures_in_a_row)
        self._hire_again_s = time.monotonic() + pause_s
        ray.kill(worker.actor)


def _next_message(stream: Any, worker: _Worker) -> Any:
    """Return what a worker tells next."""
    try:
        return ray.get(next(stream))
    except StopIteration:  # it was stopped, and not by us
        return WorkerFailed(ClusterError(f"{worker.name} was stopped."))
    except RayError as error:
        return WorkerFailed(_lost(worker, error))


def _lost(worker: _Worker, error: RayError) -> ClusterError:
    lines = [line for line in str(error).splitlines() if line.strip()] or ["unknown"]
    # A traceback tells its reason in its last line, Ray's own account in its first.
    has_traceback = isinstance(error, RayTaskError) or "creation task" in lines[0]
    return ClusterError(f"{worker.name} was lost: {lines[-1 if has_traceback else 0]}")


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
    # Ray's sockets lie there, and their paths must be short.
    place = "/tmp" if os.name == "posix" else None
    with ExitStack() as stack:
        options: dict[str, Any] = {"address": address}
        if address == "local":
            folder = tempfile.TemporaryDirectory(
                prefix="cinecut-", dir=place, ignore_cleanup_errors=True
            )
            options |= {
                "_temp_dir": stack.enter_context(folder),  # else it leaves its logs in /tmp/ray
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
            }
        stack.callback(ray.shutdown)
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            raise _refusal(error) from error
        signal.signal(signal.SIGTERM, before)  # Ray's own would leave without ending the workers
        # Ray prints what it thinks of a lost worker to stdout, and has no switch for it.
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        yield


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
        if isinstance(cause, AuthenticationError) or AuthenticationError.__name__ in str(cause):
            return ClusterError(
                "The cluster asks for a token.",
                check="That ~/.ray/auth_token is the same on all machines of the cluster.",
                tip="export RAY_AUTH_MODE=token, or --cluster auto on a machine of the cluster",
            )
        cause = cause.__cause__ or cause.__context__
    return ClusterError(str(error))
