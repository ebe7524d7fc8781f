"""Describes a batch of films with one engine, passing over those that are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cinecut.describe import Event, FilmEnded, describe_films
from cinecut.errors import CineCutError
from cinecut.inference import LlavaEngine
from cinecut.jobs import FilmJob, identify_model, plan_job
from cinecut.pipeline import FilmWork
from cinecut.results.exports import export
from cinecut.settings import RunSettings

_TIMEOUT_GPU_S: Final = 60.0
_TIMEOUT_CPU_S: Final = 600.0  # a 7B model takes minutes for a frame on a laptop's CPU


class Observer(Protocol):
    """Who is told how it goes."""

    def notice(self, sentence: str) -> None:
        """Take a sentence that the user should read."""

    def detail(self, sentence: str) -> None:
        """Take a sentence for the curious."""

    def tell(self, sentence: str) -> None:
        """Take a sentence about how it goes."""

    def show(self, event: Event) -> None:
        """Take what has happened to a film."""

    def live(self) -> AbstractContextManager[None]:
        """Be ready for events while the block runs."""


@dataclass
class Batch:
    """What became of the films."""

    finished: list[FilmJob] = field(default_factory=list)
    """Films that an earlier command had completed."""
    ended: list[FilmWork] = field(default_factory=list)
    """Films that were described now, or failed on the way."""
    errors: list[CineCutError] = field(default_factory=list)
    """Why films failed, and why the whole batch ended early if it did."""

    @property
    def completed(self) -> int:
        """Number of films that are done."""
        return len(self.finished) + sum(work.error is None for work in self.ended)


def describe_batch(
    films: Sequence[Path],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
) -> Batch:
    """Describe `films`; one film's failure does not stop the next.

    Raises:
        ModelError: A model file cannot be used; nothing was begun.
        KeyboardInterrupt: `is_cancelled` said so; the journals keep what there is.
    """
    batch, to_do = Batch(), []
    model = identify_model(settings)
    for film in films:
        try:
            job = plan_job(film, settings, model)
            if job.finished:
                export(job.folder, settings.formats)
                observer.tell(f"{film.name}: done already. Results: {job.folder}")
                batch.finished.append(job)
            else:
                to_do.append(job)
        except CineCutError as error:
            batch.errors.append(error)
    if to_do:
        try:
            _describe(to_do, settings, observer, is_cancelled, batch)
        except CineCutError as error:
            batch.errors.append(error)
    return batch


def _describe(
    jobs: list[FilmJob],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
    batch: Batch,
) -> None:
    began_s = time.monotonic()
    with _open_engine(jobs, settings, observer, is_cancelled) as engine:
        facts = {
            "slots": engine.slots,
            "slots_because": engine.plan.why if engine.plan else None,
            "llama_server": engine.program_version,
        }
        observer.detail(f"llama-server is ready after {time.monotonic() - began_s:.1f} s: {facts}")
        with observer.live():
            events = describe_films(
                [job.with_details(**facts) for job in jobs],
                engine,
                timeout_s=settings.timeout_s
                or (_TIMEOUT_GPU_S if engine.on_gpu else _TIMEOUT_CPU_S),
                formats=settings.formats,
                picture_side_px=engine.picture_side_px,
                is_cancelled=is_cancelled,
            )
            for event in events:
                observer.show(event)
                if isinstance(event, FilmEnded):
                    batch.ended.append(event.work)
                    if event.work.error:
                        batch.errors.append(event.work.error)


def _open_engine(
    jobs: list[FilmJob],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
) -> LlavaEngine:
    first = jobs[0]
    others = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return LlavaEngine(
        settings.model,
        settings.mmproj,
        llama_server=settings.llama_server,
        device=settings.device,
        gpu=settings.gpu,
        slots=settings.slots,
        prompt=settings.prompt,
        log_path=first.log_path,
        task=f"describing {first.path.name}{others}",
        skip_vram_check=settings.skip_vram_check,
        silence_limit_s=settings.silence_limit_s,
        on_notice=observer.notice,
        is_cancelled=is_cancelled,
    )
