"""`cinecut summarize`: results in, what their films are told as."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cinecut.cli import arguments, options, run_options
from cinecut.cli.boundary import exit_codes, interruptible


def summarize(
    context: typer.Context,
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS", help="Results folders, such as movie.mkv.cinecut"),
    ],
    model: run_options.Model = None,
    mmproj: run_options.Mmproj = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    server_url: run_options.ServerUrl = None,
    language: run_options.Language = "English",
    formats: run_options.Formats = None,
    parallel: run_options.Parallel = "auto",
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    timeout: run_options.Timeout = None,
    load_timeout: run_options.LoadTimeout = 120.0,
    skip_vram_check: options.SkipVramCheck = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what films are that were described: chapters, a synopsis, what comes back.

    What was told already is not asked for again, what could not be told is.
    """
    from rich.text import Text

    from cinecut.cli.batch import show_outcome
    from cinecut.cli.describe_view import DescribeView
    from cinecut.cli.terminal import Terminal
    from cinecut.inference.question.prompt import make_prompt
    from cinecut.model_store.choice import find_model_files
    from cinecut.model_store.hardware import look_at_hardware
    from cinecut.run.outcomes import Batch
    from cinecut.run.session import Session
    from cinecut.run.settings import RunSettings

    with exit_codes():
        server = arguments.server_of_somebody_else(context, server_url, model)
        slots = arguments.parse_parallel(parallel)
        silence_limit_s = arguments.checked_seconds("--load-timeout", load_timeout)
        timeout_s = None if timeout is None else arguments.checked_seconds("--timeout", timeout)
        if not server_url:
            hardware = partial(look_at_hardware, device.value, gpu, llama_server)
            model, mmproj = find_model_files(model, mmproj, models_dir, hardware)
        settings = RunSettings(
            **server,
            model=None if server_url else model,
            mmproj=mmproj,
            prompt=make_prompt(language=language),
            llama_server=llama_server,
            device=device.value,
            gpu=gpu,
            slots=slots,
            skip_vram_check=skip_vram_check,
            silence_limit_s=silence_limit_s,
            timeout_s=timeout_s,
            formats=arguments.chosen_formats(formats),
        )
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)
        view, batch = DescribeView(terminal, len(results)), Batch()
        with interruptible() as is_cancelled, Session(settings, view, is_cancelled) as session:
            for outcome in session.summarize(results):
                batch.outcomes.append(outcome)
                if json and outcome.folder and not outcome.error:
                    terminal.data(_told(outcome.folder), Text())
        raise typer.Exit(show_outcome(batch, view, 1, strict=False))


def _told(folder: Path) -> dict[str, Any]:
    """Return the summary in a results folder, as `scenes.json` has it."""
    from cinecut.results.presentation import film_name
    from cinecut.results.scenes import read_results
    from cinecut.results.summary import summary_of

    results = read_results(folder)
    summary = summary_of(results)
    return {"film": film_name(results.run), "summary": summary.model_dump() if summary else None}
