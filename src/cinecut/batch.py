"""Describes a batch of films with one engine, passing over those that are done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Final, Protocol

from cinecut.describe import Event, FilmEnded, describe_films
from cinecut.errors import CineCutError, UsageError
from cinecut.inference import LlavaEngine
from cinecut.inference.attached import AttachedEngine
from cinecut.jobs import FilmJob, identify_files, plan_job
from cinecut.outcomes import Batch, FilmOutcome
from cinecut.results.exports import export, write_index
from cinecut.settings import RunSettings

INDEX_NAME: Final = "cinecut-index.html"
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


def describe_batch(
    films: Sequence[Path],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
) -> Batch:
    """Describe `films`; one film's failure does not stop the next.

    Raises:
        ModelError: A model file cannot be used; nothing was begun.
        InferenceError: No server answers at the address given; nothing was begun.
        KeyboardInterrupt: `is_cancelled` said so; the journals keep what there is.
    """
    batch, to_do = Batch(), []
    model = _identify_model(settings)
    for film in films:
        try:
            job = plan_job(film, settings, model)
            if job.finished:
                export(job.folder, settings.formats)
                observer.tell(f"{film.name}: done already. Results: {job.folder}")
                batch.outcomes.append(_done_before(job))
            else:
                to_do.append(job)
        except CineCutError as error:
            batch.outcomes.append(FilmOutcome(film, error=error))
    try:
        if to_do:
            _describe(to_do, settings, observer, is_cancelled, batch)
        if len(batch.completed) > 1 and "html" in settings.formats:
            batch.index = write_index(batch.completed, _index_path(batch.completed))
    except CineCutError as error:
        batch.error = error
    return batch


def _done_before(job: FilmJob) -> FilmOutcome:
    counts = (job.finished and job.finished.finished) or {}
    skipped = counts.get("skipped", 0)
    return FilmOutcome(
        job.path,
        job.folder,
        resumed=counts.get("scenes", 0) - skipped,
        skipped={"earlier": skipped} if skipped else {},
        was_done=True,
    )


def _identify_model(settings: RunSettings) -> dict[str, Any]:
    if settings.server_url:
        return {"server": _attached(settings).read_model_name()}
    if settings.model is None or settings.mmproj is None:
        raise UsageError("Neither a model with its mmproj nor a server was named.")
    return identify_files(settings.model, settings.mmproj)


def _index_path(folders: list[Path]) -> Path:
    return Path(os.path.commonpath([folder.parent for folder in folders])) / INDEX_NAME


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
            with closing(events):  # its threads end before the server does, whatever is raised
                for event in events:
                    observer.show(event)
                    if isinstance(event, FilmEnded):
                        batch.outcomes.append(event.work.outcome())


def _open_engine(
    jobs: list[FilmJob],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
) -> LlavaEngine:
    if settings.server_url:
        return _attached(settings)
    if settings.model is None or settings.mmproj is None:
        raise UsageError("Neither a model with its mmproj nor a server was named.")
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


def _attached(settings: RunSettings) -> AttachedEngine:
    return AttachedEngine(
        settings.server_url or "",
        api_key=settings.api_key,
        slots=settings.slots,
        prompt=settings.prompt,
    )
