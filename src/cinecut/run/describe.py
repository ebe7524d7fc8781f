"""Joins the stages: films in, journals and a stream of events out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from queue import Empty
from typing import Final

from cinecut.errors import CineCutError
from cinecut.film.reading.hardware import Hardware
from cinecut.inference import LlavaEngine
from cinecut.inference.retelling import Reteller
from cinecut.run.books import Books, Streak
from cinecut.run.events import Event, FilmBegan, FilmEnded, FilmGoesOn
from cinecut.run.jobs import FilmJob, done_before
from cinecut.run.order import FilmOrder
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.pipeline import AllScanned, Began, Pipeline, Repeat, Scanned
from cinecut.run.summary import Summaries

_LOOK_AGAIN_S: Final = 0.1
_TELL_EVERY_S: Final = 0.5


def describe_films(
    films: Iterable[FilmJob | FilmOutcome],
    engine: LlavaEngine,
    *,
    timeout_s: float,
    formats: Sequence[str] = (),
    picture_side_px: int | None = None,
    hardware: Hardware | None = None,
    summary: bool = False,
    is_cancelled: Callable[[], bool] = lambda: False,
    streak: Streak | None = None,
) -> Generator[Event, None, None]:
    """Describe films one after the other and yield what happens, in film order.

    The caller's thread writes the journals, each scene when it is done. When all slots are busy
    the decoder waits. The next film is being decoded while the last frames of the one before are
    being described. A film that cannot be read ends with its error, and the next one goes on.

    Args:
        films: The films, as `plan_job` returns them, and what has become of others already. Each
            is asked for, in another thread, when its turn comes.
        engine: An engine inside its block.
        timeout_s: Seconds that a frame may take.
        formats: Names of the exports to write of each complete film.
        picture_side_px: Longest side of the pictures that are sent; None sends them as they are.
        hardware: What decodes the films; None has the CPU do it.
        summary: Whether the model is also to tell what each film is, when it is described.
        is_cancelled: Asked several times a second; True ends the run.
        streak: The skips in a row of films before these.

    Raises:
        InferenceError: No more frames can be described. The journals keep what there is.
        KeyboardInterrupt: `is_cancelled` said so.
    """
    summaries: Summaries | None = None
    pipeline = Pipeline(films, engine, timeout_s, picture_side_px, hardware)
    order = FilmOrder[Event]()
    try:
        pipeline.start()
        books = Books(() if summary else formats, streak or Streak(), pipeline.ask)
        summaries = Summaries(Reteller(engine, timeout_s), formats) if summary else None
        yield from _keep_journals(pipeline, books, summaries, order, is_cancelled)
    except (CineCutError, KeyboardInterrupt):
        yield from order.rest()  # it is in the journals
        raise
    finally:
        pipeline.stop()
        if summaries:
            summaries.stop()


def _keep_journals(
    pipeline: Pipeline,
    books: Books,
    summaries: Summaries | None,
    order: FilmOrder[Event],
    is_cancelled: Callable[[], bool],
) -> Iterator[Event]:
    """Write what comes out of the pipeline into the journals, and tell of it."""
    all_scanned, told_s = False, time.monotonic()
    while not all_scanned or books.journals or (summaries and summaries.places):
        if is_cancelled():
            raise KeyboardInterrupt
        if books.journals and time.monotonic() - told_s > _TELL_EVERY_S:
            told_s = time.monotonic()
            yield FilmGoesOn(next(iter(books.journals)).outcome())
        for place, outcome in summaries.told() if summaries else ():
            yield from order.end(place, FilmEnded(outcome))
        try:
            message = pipeline.messages.get(timeout=_LOOK_AGAIN_S)
        except Empty:
            continue
        if isinstance(message, Exception):
            raise message
        if isinstance(message, AllScanned):
            all_scanned = True
            continue
        if isinstance(message, FilmOutcome):
            place = object()
            yield from order.begin(place, None)
            yield from order.end(place, FilmEnded(message))
            continue
        if isinstance(message, FilmJob):
            place = object()
            yield from order.begin(place, None)
            if summaries:
                summaries.add(place, done_before(message))
            continue
        if isinstance(message, Began):
            work = message.work
            books.journals[work] = message.journal
            yield from order.begin(work, FilmBegan(work.outcome()))
        elif isinstance(message, Scanned):
            work = message.work
            work.is_scanned = True
            if work not in books.journals:  # it could not even be opened
                yield from order.begin(work, None)
                yield from order.end(work, FilmEnded(work.outcome()))
        else:
            work = message.task.work
            if isinstance(message, Repeat):
                written = books.repeat(message.task)
            else:
                written = books.enter(message)
            for task, done in written:
                yield from order.scene(task.work, task.turn, done)
        if work in books.journals and work.is_complete:
            last, end = books.close(work)
            for task, done in last:
                yield from order.scene(task.work, task.turn, done)
            if summaries and end.outcome.error is None:
                summaries.add(work, end.outcome)
            else:
                yield from order.end(work, end)
