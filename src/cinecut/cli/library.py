"""`cinecut describe --cluster`: the same films, on the workers of a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from cinecut.cli.batch import show_outcome
from cinecut.cli.describe_view import DescribeView, scene_text
from cinecut.cli.terminal import Terminal
from cinecut.cluster.library import describe_library
from cinecut.errors import UsageError
from cinecut.files import is_file
from cinecut.model_store.choice import find_model_files
from cinecut.model_store.hardware import look_at_hardware
from cinecut.results.scenes import scene_to_dict
from cinecut.run.events import Event, FilmBegan, FilmEnded, SceneDone
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.settings import RunSettings

_RUNNING_SHOWN: Final = 2


def describe_on_cluster(
    films: list[Path],
    settings: RunSettings,
    model: tuple[Path | None, Path | None, Path | None],
    terminal: Terminal,
    is_cancelled: Callable[[], bool],
    *,
    address: str,
    worker_cpus: int | None,
    strict: bool,
) -> int:
    """Describe `films` on the cluster at `address`, and return the exit code.

    Relative paths are made absolute here: a worker has another working folder.

    Raises:
        UsageError: The cluster extra is missing, or the options contradict each other.
        ClusterError: The cluster cannot be used.
    """
    if settings.gpu is not None:
        raise UsageError("--gpu and --cluster exclude each other: Ray chooses each worker's GPU.")
    name, mmproj, models_dir = model
    is_path = name is not None and (is_file(name) or len(name.parts) > 1)
    files = (_absolute(name) if is_path else name, _absolute(mmproj), _absolute(models_dir))
    server = settings.llama_server
    if server and os.sep in server:
        server = str(Path(server).absolute())
    hardware = partial(look_at_hardware, settings.device, None, server)
    view = LibraryView(terminal, len(films))
    batch = describe_library(
        [film.absolute() for film in films],
        replace(
            settings,
            output_dir=_absolute(settings.output_dir),
            roots=tuple(map(Path.absolute, settings.roots)),
            llama_server=server,
            keyframes=replace(
                settings.keyframes, subtitles=_absolute(settings.keyframes.subtitles)
            ),
        ),
        None if settings.server_url else partial(find_model_files, *files, hardware),
        view,
        is_cancelled,
        address=address,
        worker_cpus=worker_cpus,
    )
    return show_outcome(batch, view, len(films), strict=strict)


def _absolute(path: Path | None) -> Path | None:
    return path and path.absolute()


class LibraryView(DescribeView):
    """Shows a library on a terminal; a `LibraryObserver`."""

    def __init__(self, terminal: Terminal, films: int) -> None:
        """Take the terminal, and how many films there are."""
        super().__init__(terminal, films)
        self._done, self._failed, self._frames = 0, 0, 0
        self._running: dict[Path, FilmOutcome] = {}
        self._began_s = time.monotonic()
        terminal.follow("library", self._facts)

    def show(self, event: Event) -> None:
        """Show what has happened to a film on a worker."""
        outcome = event.outcome
        self._running[outcome.film] = outcome
        match event:
            case FilmBegan():
                self.notice_another_run(outcome)
            case SceneDone(_, scene):
                self._frames += 1
                name = outcome.film.name
                text = scene_text(scene, name)
                self._terminal.data({"film": name, **scene_to_dict(scene)}, text)
            case FilmEnded():
                self.show_end(outcome)
        self._advance()

    def film_ended(self, outcome: FilmOutcome) -> None:
        """Count a film of which nothing more will be heard."""
        self._running.pop(outcome.film, None)
        self._done += outcome.error is None
        self._failed += outcome.error is not None
        self.show_error(outcome)
        self._advance()

    def film_lost(self, film: Path) -> None:
        """Forget what a lost worker told about a film."""
        self._running.pop(film, None)

    def _advance(self) -> None:
        self._terminal.advance(self._done + self._failed, self._films)

    def _facts(self) -> str:
        rate = self._frames / max(time.monotonic() - self._began_s, 0.001)
        failed = f", {self._failed} failed" if self._failed else ""
        running = [f"{film.name} {work.described}" for film, work in list(self._running.items())]
        more = f" and {len(running) - _RUNNING_SHOWN} more" * (len(running) > _RUNNING_SHOWN)
        now = f", {', '.join(running[:_RUNNING_SHOWN])}{more}" if running else ""
        return f"{self._done} of {self._films} films{failed}, {rate:.1f} frames/s{now}"
