"""Describes a library of films on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cinecut.cluster.environment import prepare
from cinecut.cluster.places import needs_of_a_worker
from cinecut.cluster.worker import FindModel, Lengths, WorkerFailed
from cinecut.errors import CineCutError, ClusterError, UsageError
from cinecut.run.batch import write_index_of
from cinecut.run.outcomes import Batch, FilmOutcome
from cinecut.run.session import Observer
from cinecut.run.settings import RunSettings

if TYPE_CHECKING:
    from cinecut.cluster.pool import WorkerPool

_FILMS_TO_MEASURE_AT_ONCE: Final = 32


class LibraryObserver(Observer, Protocol):
    """Who is told how a library of films gets on."""

    def film_ended(self, outcome: FilmOutcome) -> None:
        """Take the outcome of a film of which nothing more will be heard."""

    def film_lost(self, film: Path) -> None:
        """Take note that a film's worker is gone; another one will go on with it."""


def describe_library(
    films: Sequence[Path],
    settings: RunSettings,
    find_model: FindModel | None,
    observer: LibraryObserver,
    is_cancelled: Callable[[], bool],
    *,
    address: str,
    worker_cpus: int | None = None,
) -> Batch:
    """Describe `films`, the longest first, each on the next worker that is free.

    A film whose worker dies goes on where it stood, on another one.

    Args:
        films: The films, as the workers see them.
        settings: How they are described.
        find_model: Called on each worker to find the two files of the model; None if
            `settings` names a server.
        observer: Told how it goes.
        is_cancelled: Asked several times a second; True ends all workers in order.
        address: The cluster, as `connected` takes it.
        worker_cpus: CPUs for each worker that has no GPU; None takes 4, or all that a machine has.

    Raises:
        UsageError: ray is not installed.
        ClusterError: The cluster cannot be reached or has no machine fit for a worker.
        KeyboardInterrupt: `is_cancelled` said so; the journals keep what there is.
    """
    prepare(address)  # before ray is imported
    try:
        from cinecut.cluster.connection import connected, machines
        from cinecut.cluster.pool import WorkerPool
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UsageError(
            "--cluster needs the cluster extra, which is not installed.",
            tip="pip install 'cinecut[cluster]'",
        ) from error

    batch, begun = Batch(), set[Path]()
    with connected(address), observer.live():
        needs = needs_of_a_worker(settings, machines(), cpus=worker_cpus, on_notice=observer.notice)
        if "num_gpus" not in needs:
            settings = replace(settings, device="cpu", cores=needs["num_cpus"])
        with WorkerPool(settings, find_model, needs, observer, is_cancelled) as pool:
            try:
                in_order = _longest_first(films, pool)
                described = pool.work_on("describe", in_order, lambda film: (film, film in begun))
                for film, message in described:
                    if isinstance(message, WorkerFailed):
                        if isinstance(message.error, UsageError):
                            raise message.error
                        message = FilmOutcome(film, error=message.error)
                    if message is None:
                        observer.film_lost(film)
                    elif isinstance(message, FilmOutcome):
                        batch.outcomes.append(message)
                        observer.film_ended(message)
                    else:
                        begun.add(film)
                        observer.show(message)
            except UsageError:
                raise
            except CineCutError as error:
                batch.error = error
    write_index_of(batch, settings)
    return batch


def _longest_first(films: Sequence[Path], pool: WorkerPool) -> list[Path]:
    """Return `films` in the order in which to hand them out: a long one must not come last."""
    if len(films) < 2:
        return list(films)
    step = _FILMS_TO_MEASURE_AT_ONCE
    chunks = [tuple(films[start : start + step]) for start in range(0, len(films), step)]
    lengths: dict[Path, float] = {}
    with suppress(ClusterError):  # then it comes again when films are handed out
        for _, message in pool.work_on("lengths", chunks):
            if isinstance(message, Lengths):
                lengths |= message.seconds
    return sorted(films, key=lambda film: -lengths.get(film, 0.0))
