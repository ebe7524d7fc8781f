"""Hands work out to the workers of a cluster, and again when one is lost.

The driver is the process that the user started. Each worker is a Ray actor with one GPU, or some
CPUs, that keeps one engine for as long as it lives.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import ray

from cinecut.cluster.places import Needs
from cinecut.cluster.staff import MOST_FAILURES, Staff, Worker
from cinecut.cluster.worker import FindModel, LastWord, Said, WorkerFailed
from cinecut.run.session import Observer
from cinecut.run.settings import RunSettings

_LOOK_AGAIN_S: Final = 0.2

Item = TypeVar("Item")


class WorkerPool:
    """Workers with one item each at a time.

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
        self._staff = Staff(settings, find_model, needs, observer)
        self._observer, self._is_cancelled = observer, is_cancelled
        self._at_work: dict[Any, tuple[Worker, Any]] = {}
        """Worker and item, by the stream of what the worker tells about the item."""

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers: in order those that can, then whatever is left of them."""
        self._staff.end([worker for worker, _ in self._at_work.values()])

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
        staff, queue, tries = self._staff, deque(items), Counter[Item]()
        staff.note_success()
        while queue or self._at_work:
            if self._is_cancelled():
                raise KeyboardInterrupt
            staff.hire(len(queue), len(self._at_work))
            while queue and staff.idle:
                worker, item = staff.idle.pop(), queue.popleft()
                self._at_work[worker.start(method, arguments(item))] = worker, item
            for stream in self._that_speak():
                worker, item = self._at_work[stream]
                message = worker.next_message(stream)
                del self._at_work[stream]
                if isinstance(message, WorkerFailed):
                    tries[item] += 1
                    staff.let_go(worker, message.error)
                    if tries[item] < MOST_FAILURES and (staff.may_have_a_worker or self._at_work):
                        queue.append(item)
                        message = None
                elif isinstance(message, LastWord):
                    staff.idle.append(worker)
                    staff.note_success()
                else:
                    self._at_work[stream] = worker, item  # behind the others: each has its turn
                if isinstance(message, Said):
                    getattr(self._observer, message.how)(f"{worker.name}: {message.sentence}")
                else:
                    yield item, message

    def _that_speak(self) -> list[Any]:
        """Return one stream that has something to tell, or none after a moment."""
        greetings = self._staff.greetings
        waiting = [*greetings, *self._at_work]
        if not waiting:
            time.sleep(_LOOK_AGAIN_S)
            return []
        ready, _ = ray.wait(waiting, num_returns=1, timeout=_LOOK_AGAIN_S)
        for one in ready:
            if one in greetings:
                self._staff.welcome(greetings[one])
        return [one for one in ready if one in self._at_work]
