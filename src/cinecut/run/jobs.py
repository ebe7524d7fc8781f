"""Plans the work on one film: where its results go, and what makes a run this run."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from cinecut import __version__
from cinecut.errors import FilmError, ModelError, OutputError
from cinecut.film.dialogue.sidecars import label, look_beside
from cinecut.film.identity import identify
from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.results.journal import is_being_written, read_finished_run
from cinecut.results.scenes import RESULTS_SUFFIX, Run, read_first_line
from cinecut.run.head_start import HeadStart
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.settings import RunSettings

FRAMES_NAME: Final = "frames"
_LOG_NAME: Final = "llama-server.log"


@dataclass(frozen=True)
class FilmJob:
    """One film to describe."""

    path: Path
    folder: Path
    """The results folder."""
    keyframes: KeyframeSettings
    run: Run
    fresh: bool = False
    patience_s: float = 0.0
    """How long to wait for another process that has the journal open."""
    summary: bool = False
    """Whether its summary is wanted."""
    head_start: HeadStart | None = None
    """Its scan, where that has begun already."""
    before: Run | None = None
    """The complete run that an earlier command left in the folder, of this work or of another."""

    @property
    def frames_folder(self) -> Path:
        """Where the pictures go."""
        return self.folder / FRAMES_NAME

    def server_log(self) -> Path | None:
        """Return where the server started for it writes; None where that is no place for it.

        The film may be in other hands, which will come to light, and so is the log then; and a
        folder in the log's place must not end the batch.
        """
        path = self.folder / _LOG_NAME
        return None if is_being_written(self.folder) or path.is_dir() else path

    def with_details(self, **facts: Any) -> FilmJob:
        """Return this job with more facts in its run's details."""
        return replace(self, run=replace(self.run, details={**self.run.details, **facts}))

    def with_dialogue_from(self, source: dict[str, Any] | None) -> FilmJob:
        """Return this job with the subtitles in use: others would be other work."""
        settings = {**self.run.settings, "dialogue_from": source}
        return replace(self, run=replace(self.run, settings=settings))

    @property
    def lacks_summary(self) -> bool:
        """Whether it is described already, and a summary is all that is wanted besides."""
        return self.summary and not ((self.finished and self.finished.finished) or {}).get(
            "summary"
        )

    @property
    def finished(self) -> Run | None:
        """The complete run of exactly this work that an earlier command left, or None."""
        is_same = self.before is not None and self.before.same_work_as(self.run)
        return self.before if is_same and not self.fresh else None


def results_folder(film: Path, output_dir: Path | None, roots: Iterable[Path] = ()) -> Path:
    """Return where the results of `film` go: `movie.mkv.cinecut`, beside it or in a folder.

    In `output_dir` they have the place that the film has in the first of `roots` that it is in,
    unless an earlier version has left them in `output_dir` itself.
    """
    name = f"{film.name}{RESULTS_SUFFIX}"
    if output_dir is None:
        return (film.parent / name).absolute()
    flat = (output_dir / name).absolute()
    inside = (film.relative_to(root) for root in roots if film.is_relative_to(root))
    place = next((path.parent for path in inside if ".." not in path.parts), Path())
    mirrored = (output_dir / place / name).absolute()
    is_elsewhere = mirrored != flat and not mirrored.exists() and _are_results_of(flat, film)
    return flat if is_elsewhere else mirrored


def _are_results_of(folder: Path, film: Path) -> bool:
    """Whether a journal is in `folder`, and begins with this very film."""
    try:
        entry, status = read_first_line(folder), film.stat()
    except (OutputError, OSError):
        return False
    known = entry.film if isinstance(entry, Run) else {}
    facts = (known.get("name"), known.get("size_bytes"), known.get("mtime_ns"))
    return facts == (film.name, status.st_size, status.st_mtime_ns)


def plan_job(
    film: Path,
    settings: RunSettings,
    model: Mapping[str, Any],
    is_cancelled: Callable[[], bool] = lambda: False,
) -> FilmJob:
    """Return the job of describing `film`; nothing is written.

    Args:
        film: The film.
        settings: How films are described.
        model: What tells it from another one.
        is_cancelled: True ends the look into the film, with a FilmError.

    Raises:
        FilmError: It is no film that can be read.
        SubtitlesError: The subtitle file that the user named cannot be used.
        OutputError: Its results folder cannot be there, or its journal is no file.
    """
    folder = results_folder(film, settings.output_dir, settings.roots)
    before = read_finished_run(folder)
    # To read parts of every film would cost a batch of thousands that are done its minutes.
    known = before.film if before and before.film.get("name") == film.name else None
    subtitle_files = _subtitle_files(film, settings.keyframes)
    run = Run(
        film={"name": film.name, **asdict(identify(film, known))},
        model=dict(model),
        settings={
            **_plain(_asked_for(settings.keyframes)),
            "instruction": settings.prompt.instruction,
            **({"thinks": True} if settings.prompt.thinks else {}),
            **({"on_screen_text": True} if settings.prompt.reads_text else {}),
            **({"with_dialogue": True} if settings.prompt.tells_dialogue else {}),
        },
        details={
            "cinecut": __version__,
            "python": platform.python_version(),
            "began": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "subtitle_files": subtitle_files,
            **_place(film, folder),
        },
    )
    job = FilmJob(
        film,
        folder,
        settings.keyframes,
        run,
        settings.fresh,
        summary=settings.summary,
        before=before,
    )
    if before and before.details.get("subtitle_files") == subtitle_files:
        # From the same files the same would be chosen: no need to open the film.
        job = job.with_dialogue_from(before.settings.get("dialogue_from"))
        if job.finished:
            return job
    # A look into the film now: what is wrong with it is told before a model is loaded.
    with KeyframeScan(
        film, job.frames_folder, settings.keyframes, is_cancelled=is_cancelled
    ) as scan:
        name = scan.report.subtitle_source
        source = {"name": name, "digest": subtitle_files.get(name)} if name else None
        start = {"start_s": scan.info.start_s} if scan.info.start_s else {}
        return job.with_dialogue_from(source).with_details(duration_s=scan.info.duration_s, **start)


def _place(film: Path, folder: Path) -> dict[str, str]:
    """Return how the storyboard in `folder` reaches `film`: not told where it lies beside it."""
    if folder.parent == film.absolute().parent:
        return {}
    try:
        return {"film_path": Path(os.path.relpath(film.absolute(), folder)).as_posix()}
    except ValueError:  # on another drive
        return {}


def done_before(
    job: FilmJob, exports: Sequence[Path] = (), notices: Sequence[str] = ()
) -> FilmOutcome:
    """Return what became of a film that an earlier command has completed."""
    counts = (job.finished and job.finished.finished) or {}
    skipped = counts.get("skipped", 0)
    return FilmOutcome(
        job.path,
        job.folder,
        resumed=counts.get("scenes", 0) - skipped,
        skipped={"earlier": skipped} if skipped else {},
        exports=tuple(exports),
        notices=tuple(notices),
        was_done=True,
    )


def identify_files(model: Path, mmproj: Path) -> dict[str, Any]:
    """Return what tells this model from another: name, size and digest of parts of each file.

    Raises:
        ModelError: A file is missing or cannot be read.
    """
    files = {"model": model, "mmproj": mmproj}
    return {kind: {"name": path.name, **_file_identity(path)} for kind, path in files.items()}


def _file_identity(path: Path) -> dict[str, Any]:
    try:
        identity = identify(path)
    except FilmError as error:
        raise ModelError(path, error.reason) from error
    return {"size_bytes": identity.size_bytes, "digest": identity.digest}


def _subtitle_files(film: Path, keyframes: KeyframeSettings) -> dict[str, str | None]:
    """Return the files that dialogue may come from, and their digests; None for an unreadable one.

    Which of them is used, if any, is known when the film is open.
    """
    files: dict[str, Path] = {}
    if keyframes.subtitles:
        files = {keyframes.subtitles.name: keyframes.subtitles}
    elif keyframes.use_subtitles:
        usable = look_beside(film, keyframes.subtitle_language).usable
        files = {label(film, path): path for path in usable}
    digests: dict[str, str | None] = {}
    for name, path in files.items():
        try:
            digests[name] = identify(path).digest
        except FilmError:  # what is wrong with it is told by whoever reads it
            digests[name] = None
    return digests


def _asked_for(keyframes: KeyframeSettings) -> dict[str, Any]:
    """Return the settings, without moments where there is one alone: so earlier runs go on."""
    settings = asdict(keyframes)
    return {k: value for k, value in settings.items() if k != "moments" or value > 1}


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as JSON gives them back, so that a run equals itself when read."""
    return {
        key: str(value.absolute()) if isinstance(value, Path) else value
        for key, value in settings.items()
    }
