"""Keeps one engine for as many films as come: it is started for the first that needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

from cinecut.errors import CineCutError, OutputError, UsageError
from cinecut.film.reading.hardware import Hardware
from cinecut.inference import LlavaEngine
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.known_picture import doubt_about
from cinecut.inference.retelling import Reteller
from cinecut.results.exports.formats import export_missing
from cinecut.results.scenes import read_results
from cinecut.run.books import Streak
from cinecut.run.decoding import find_hardware
from cinecut.run.describe import describe_films
from cinecut.run.events import Event, FilmEnded
from cinecut.run.head_start import HeadStart
from cinecut.run.jobs import FilmJob, done_before, identify_files, plan_job
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.settings import RunSettings
from cinecut.run.summary import with_summary

_TIMEOUT_GPU_S: Final = 60.0
_LOCK_OF_A_LOST_MACHINE_S: Final = 120.0  # an NFS server keeps it for 90
_THINKING_TAKES: Final = 4  # times as many tokens
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

    def loading(self, name: str, size_bytes: int) -> AbstractContextManager[None]:
        """Show that a model of this name and size is being loaded while the block runs."""

    def live(self) -> AbstractContextManager[None]:
        """Be ready for events while the block runs."""


class Session:
    """Describes films with one engine; leaving the block ends the engine."""

    def __init__(
        self, settings: RunSettings, observer: Observer, is_cancelled: Callable[[], bool]
    ) -> None:
        """Take how films are described, whom to tell, and whether to stop."""
        self._settings, self._observer, self._is_cancelled = settings, observer, is_cancelled
        self._model: dict[str, Any] = {}
        self._engine: LlavaEngine | None = None
        self._streak = Streak()
        self._resources = ExitStack()

    def __enter__(self) -> Session:
        """Identify the model.

        Raises:
            ModelError: A model file cannot be used.
            InferenceError: No server answers at the address given.
        """
        self._model = self._identify_model()
        return self

    def __exit__(self, *_: object) -> None:
        """End the engine, if it was started."""
        self._engine = None
        self._resources.close()

    def describe(self, films: Sequence[Path], *, goes_on: bool = False) -> Iterator[FilmOutcome]:
        """Describe `films` and yield what becomes of each; one's failure does not stop the next.

        Each is looked at when its turn comes, while those before it are being described; the
        engine is started for the first that needs it. A film that an earlier command has
        completed is passed over, and such exports written as are missing.

        Args:
            films: The films.
            goes_on: Whether the same command has begun them on a machine that is lost: they are
                not begun anew, and what that machine held locked may stay so for a while.

        Raises:
            CineCutError: No film can be described, or none any more.
            KeyboardInterrupt: The user said so; the journals keep what there is.
        """
        looked_at = (self._look_at(film, goes_on=goes_on) for film in films)
        with self._observer.live():
            for number, found in enumerate(looked_at, 1):
                if self._is_cancelled():
                    raise KeyboardInterrupt
                if isinstance(found, FilmJob):
                    found = self._with_engine(self._begun(found), len(films) - number)
                if isinstance(found, FilmJob):
                    yield from self._describe(chain([found], looked_at))
                else:
                    self._observer.show(FilmEnded(found))
                    yield found

    def summarize(self, folders: Sequence[Path]) -> Iterator[FilmOutcome]:
        """Tell the summaries of films from their results, and yield what becomes of each.

        Raises:
            CineCutError: The engine cannot be started.
            KeyboardInterrupt: The user said so; the journals keep what there is.
        """
        with self._observer.live():
            for number, folder in enumerate(map(Path.absolute, folders), 1):
                try:
                    run = read_results(folder).run
                    job = FilmJob(folder, folder, self._settings.keyframes, run)
                    found = self._with_engine(job, len(folders) - number)
                except OutputError as error:
                    found = FilmOutcome(folder, error=error)
                if isinstance(found, FilmJob):
                    reteller = self.reteller(f"telling of {folder.name}")
                    found = with_summary(
                        FilmOutcome(folder, folder, was_done=True),
                        *(reteller, self._settings.formats, self._is_cancelled),
                    )
                self._observer.show(FilmEnded(found))
                yield found

    def reteller(self, task: str) -> Reteller:
        """Return who asks the model in text alone; `task` tells others what the GPU is used for.

        Raises:
            CineCutError: The engine cannot be started.
            KeyboardInterrupt: The user said so.
        """
        self._engine = self._engine or self._start_engine(None, task)
        return Reteller(self._engine, self._timeout_s(self._engine))

    @property
    def model_name(self) -> str:
        """What the model is called."""
        return self._name_and_size()[0]

    def _look_at(self, film: Path, *, goes_on: bool) -> FilmJob | FilmOutcome:
        """Return what is to be done about `film`, or what has become of it."""
        try:
            job = plan_job(film, self._settings, self._model, self._is_cancelled)
            if goes_on:
                job = replace(job, fresh=False, patience_s=_LOCK_OF_A_LOST_MACHINE_S)
            if job.finished and not job.lacks_summary:
                notices: list[str] = []
                made = export_missing(job.folder, self._settings.formats, notices.append)
                return done_before(job, made, notices)
        except CineCutError as error:
            return FilmOutcome(film, error=error)
        return job

    def _begun(self, job: FilmJob) -> FilmJob:
        """Return `job`, its film being scanned already where the engine has to get ready first."""
        # Hardware is chosen when the engine has its memory.
        if self._engine is not None or job.finished or self._settings.decode != "cpu":
            return job
        what = job.path, job.frames_folder, job.keyframes
        head_start = self._resources.enter_context(HeadStart(*what, self._is_cancelled))
        return replace(job, head_start=head_start)

    def _with_engine(self, job: FilmJob, others: int) -> FilmJob | FilmOutcome:
        """Start the engine if it was not, and return `job`, or what has become of its film."""
        task = f"describing {job.path.name}" + (f" and {others} more" if others else "")
        try:
            self._engine = self._engine or self._start_engine(job.server_log(), task)
        except OutputError as error:
            if error.path != job.folder:
                raise
            # The server's log has no place there, and so the film has none: it fails alone.
            return FilmOutcome(job.path, error=error)
        return job

    def _describe(self, films: Iterable[FilmJob | FilmOutcome]) -> Iterator[FilmOutcome]:
        engine = self._engine
        assert engine is not None
        facts = {
            "slots": engine.slots,
            "slots_because": engine.plan.why if engine.plan else None,
            "llama_server": engine.program_version,
        }
        events = describe_films(
            (film.with_details(**facts) if isinstance(film, FilmJob) else film for film in films),
            engine,
            timeout_s=self._timeout_s(engine),
            formats=self._settings.formats,
            picture_side_px=engine.picture_side_px,
            hardware=self._hardware,
            summary=self._settings.summary,
            is_cancelled=self._is_cancelled,
            streak=self._streak,
        )
        with closing(events):  # its threads end before the server does, whatever is raised
            for event in events:
                self._observer.show(event)
                if isinstance(event, FilmEnded):
                    yield event.outcome

    @cached_property
    def _hardware(self) -> Hardware | None:
        """What decodes films; asked for when the model has taken its memory."""
        return find_hardware(self._settings.decode, self._observer.notice)

    def _timeout_s(self, engine: LlavaEngine) -> float:
        if self._settings.timeout_s is not None:
            return self._settings.timeout_s
        default_s = _TIMEOUT_GPU_S if engine.on_gpu else _TIMEOUT_CPU_S
        default_s *= _THINKING_TAKES if self._settings.prompt.thinks else 1
        return default_s * engine.prompt.most_pictures

    def _start_engine(self, log_path: Path | None, task: str) -> LlavaEngine:
        began_s = time.monotonic()
        with self._observer.loading(*self._name_and_size()):
            engine = self._resources.enter_context(self._new_engine(log_path, task))
            if self._settings.proof:
                self._prove(engine)
        why = f", {engine.plan.why}" if engine.plan else ""
        self._observer.detail(
            f"llama-server is ready after {time.monotonic() - began_s:.1f} s: "
            f"{engine.program_version}, {engine.slots} slots{why}."
        )
        return engine

    def _prove(self, engine: LlavaEngine) -> None:
        where = {"device": self._settings.device, "gpu": self._settings.gpu}
        doubt = doubt_about(engine, {**self._model, **where}, self._is_cancelled)
        if doubt:
            self._observer.notice(doubt)

    def _new_engine(self, log_path: Path | None, task: str) -> LlavaEngine:
        settings = self._settings
        if settings.server_url:
            return self._attached(settings.server_url)
        model, mmproj = self._model_files()
        return LlavaEngine(
            model,
            mmproj,
            llama_server=settings.llama_server,
            device=settings.device,
            gpu=settings.gpu,
            cores=settings.cores,
            slots=settings.slots,
            prompt=settings.prompt,
            log_path=log_path,
            task=task,
            skip_vram_check=settings.skip_vram_check,
            silence_limit_s=settings.silence_limit_s,
            on_notice=self._observer.notice,
            is_cancelled=self._is_cancelled,
        )

    def _identify_model(self) -> dict[str, Any]:
        if self._settings.server_url:
            return {"server": self._attached(self._settings.server_url).read_model_name()}
        return identify_files(*self._model_files())

    def _model_files(self) -> tuple[Path, Path]:
        model, mmproj = self._settings.model, self._settings.mmproj
        if model is None or mmproj is None:
            raise UsageError("Neither a model with its mmproj nor a server was named.")
        return model, mmproj

    def _name_and_size(self) -> tuple[str, int]:
        """Return the name of the model and the bytes to load; none where a server has it."""
        if self._settings.server_url:
            return str(self._model["server"]), 0
        files = self._model_files()
        return files[0].stem, sum(path.stat().st_size for path in files)

    def _attached(self, url: str) -> AttachedEngine:
        settings = self._settings
        return AttachedEngine(
            url,
            model=settings.server_model,
            prefers=settings.server_prefers,
            api_key=settings.api_key,
            slots=settings.slots,
            prompt=settings.prompt,
            on_notice=self._observer.notice,
            is_cancelled=self._is_cancelled,
        )
