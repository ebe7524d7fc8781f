"""`cinecut describe`: films in, scene descriptions out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinecut.cli import arguments, options
from cinecut.cli.boundary import DONE, FAILED, PARTLY_DONE, exit_codes, interruptible, print_error

if TYPE_CHECKING:  # imported when the command runs: --help must be fast
    from collections.abc import Callable

    from cinecut.cli.describe_view import DescribeView
    from cinecut.cli.terminal import Terminal
    from cinecut.run.outcomes import Batch
    from cinecut.run.settings import RunSettings


def describe(
    films: options.Films,
    recursive: options.Recursive = False,
    subtitles: options.Subtitles = None,
    no_subtitles: options.NoSubtitles = False,
    subtitle_language: options.SubtitleLanguage = None,
    model: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_MODEL",
            metavar="NAME|FILE",
            autocompletion=options.model_names,
            help="The model: a name from cinecut models list, or a GGUF file.",
        ),
    ] = None,
    mmproj: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_MMPROJ",
            metavar="FILE",
            help="The mmproj that belongs to it.",
        ),
    ] = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    server_url: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_SERVER_URL",
            metavar="URL",
            help="A server that runs already, OpenAI-compatible and with vision; its key is "
            "taken from CINECUT_API_KEY.",
        ),
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_PROMPT_FILE", metavar="FILE", help="Ask with these words instead."
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(envvar="CINECUT_LANGUAGE", metavar="LANG", help="Language of descriptions."),
    ] = "English",
    output_dir: options.OutputDir = None,
    formats: Annotated[
        list[options.ExportFormat] | None,
        typer.Option(
            "--format", envvar="CINECUT_FORMAT", help="Also write this format; repeatable."
        ),
    ] = None,
    parallel: Annotated[
        str,
        typer.Option(
            envvar="CINECUT_PARALLEL", metavar="auto|N", help="Pictures described at once."
        ),
    ] = "auto",
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_CLUSTER",
            metavar="auto|local|ADDRESS",
            help="Describe many films at once on a Ray cluster: the one that this machine belongs "
            "to, one of this machine alone, or the one at HOST:PORT.",
        ),
    ] = None,
    worker_cpus: Annotated[
        int | None,
        typer.Option(
            envvar="CINECUT_WORKER_CPUS",
            metavar="N",
            min=1,
            help="CPUs for each worker of a cluster that has no GPU. [default: 4]",
            show_default=False,
        ),
    ] = None,
    scan: options.ScanOption = options.Scan.FULL,
    interval: options.Interval = 30.0,
    scene_threshold: options.SceneThreshold = None,
    max_frames: options.MaxFrames = None,
    keep_duplicates: options.KeepDuplicates = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            envvar="CINECUT_TIMEOUT",
            metavar="SECONDS",
            help="Longest time for one frame. [default: 60, on a CPU 600]",
            show_default=False,
        ),
    ] = None,
    load_timeout: Annotated[
        float,
        typer.Option(
            envvar="CINECUT_LOAD_TIMEOUT",
            metavar="SECONDS",
            help="Longest silence of a loading llama-server.",
        ),
    ] = 120.0,
    skip_vram_check: options.SkipVramCheck = False,
    fresh: options.Fresh = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", envvar="CINECUT_STRICT", help="Exit with 3 if a frame was skipped."
        ),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Describe films: one validated scene description a keyframe.

    Results of movie.mkv go to movie.mkv.cinecut/. A run that was interrupted goes on where it
    stood when the same command is given again.
    """
    from cinecut.cli.terminal import Terminal
    from cinecut.inference.question.prompt import make_prompt
    from cinecut.model_store.choice import find_model_files
    from cinecut.run.settings import RunSettings

    with exit_codes():
        keyframes = arguments.keyframe_settings(
            scan=scan,
            interval=interval,
            scene_threshold=scene_threshold,
            max_frames=max_frames,
            keep_duplicates=keep_duplicates,
            subtitles=subtitles,
            no_subtitles=no_subtitles,
            subtitle_language=subtitle_language,
        )
        slots = arguments.parse_parallel(parallel)
        named = arguments.listed_films(
            films, recursive=recursive, output_dir=output_dir, subtitles=subtitles
        )
        instruction = arguments.read_prompt(prompt_file) if prompt_file else None
        settings = RunSettings(
            server_url=server_url,
            server_model=str(model) if server_url and model else None,
            api_key=os.environ.get("CINECUT_API_KEY"),
            prompt=make_prompt(instruction, language),
            llama_server=llama_server,
            device=device.value,
            gpu=gpu,
            slots=slots,
            skip_vram_check=skip_vram_check,
            silence_limit_s=arguments.checked_seconds("--load-timeout", load_timeout),
            timeout_s=None if timeout is None else arguments.checked_seconds("--timeout", timeout),
            keyframes=keyframes,
            output_dir=output_dir,
            formats=arguments.chosen_formats(formats),
            fresh=fresh,
        )
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)
        if cluster is not None:
            from cinecut.cli.library import LibraryView, describe_on_cluster

            view = LibraryView(terminal, len(named))
            where = (model, mmproj, models_dir)
            with interruptible() as is_cancelled:
                batch = describe_on_cluster(
                    *(named, settings, where, view, is_cancelled),
                    address=cluster,
                    worker_cpus=worker_cpus,
                )
            raise typer.Exit(show_outcome(batch, view, len(named), strict=strict))
        if not server_url:
            model, mmproj = find_model_files(model, mmproj, models_dir)
            settings = replace(settings, model=model, mmproj=mmproj)
        with interruptible() as is_cancelled:
            code = describe_films(named, settings, terminal, is_cancelled, strict=strict)
        raise typer.Exit(code)


def describe_films(
    films: list[Path],
    settings: RunSettings,
    terminal: Terminal,
    is_cancelled: Callable[[], bool],
    *,
    strict: bool,
) -> int:
    """Describe what is not done yet, and return the exit code."""
    from cinecut.cli.describe_view import DescribeView
    from cinecut.run.batch import describe_batch

    view = DescribeView(terminal)
    batch = describe_batch(films, settings, view, is_cancelled)
    return show_outcome(batch, view, len(films), strict=strict)


def show_outcome(batch: Batch, view: DescribeView, films: int, *, strict: bool) -> int:
    """Show what became of a batch of so many films, and return the exit code."""
    if films > 1:
        view.show_table(batch)
    for error in batch.errors:
        print_error(error)
    if batch.errors:
        return PARTLY_DONE if batch.completed else FAILED
    return PARTLY_DONE if strict and batch.any_skipped else DONE
