"""`cinecut ask`: results and a question in, an answer out that rests on their scenes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cinecut.cli import arguments, options, run_options
from cinecut.cli.boundary import exit_codes, interruptible
from cinecut.errors import InferenceError, UsageError

if TYPE_CHECKING:
    from cinecut.cli.terminal import Terminal

_LONGEST_LINE_BYTES: Final = 1 << 16
_CONTEXT_TOKENS: Final = 4096  # about fifteen scenes; a 7B model on a CPU reads for minutes


def ask(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULTS... QUESTION",
            help="Results, films, or folders with such in them; last the question, in quotes.",
        ),
    ],
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            "-i",
            envvar="CINECUT_INTERACTIVE",
            help="Read questions line by line until an empty one; there is none among the words.",
        ),
    ] = False,
    model: run_options.Model = None,
    mmproj: run_options.Mmproj = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    server_url: run_options.ServerUrl = None,
    language: run_options.Language = "English",
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    timeout: run_options.Timeout = None,
    load_timeout: run_options.LoadTimeout = 120.0,
    skip_vram_check: options.SkipVramCheck = False,
    index: options.SearchIndex = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Answer a question about films that were described, from their scenes alone.

    The search finds the scenes, a local model reads them. Without --model it is the one that the
    film was described by, if it is here.
    """
    from cinecut.cli.conversation import Conversation
    from cinecut.cli.terminal import Terminal
    from cinecut.inference.question.prompt import make_prompt
    from cinecut.model_store.choice import find_model_files, find_named_files
    from cinecut.model_store.hardware import look_at_hardware
    from cinecut.run.settings import RunSettings
    from cinecut.search import Library
    from cinecut.story.question import Film

    with exit_codes(goes_on=False):
        places, questions = (words, None) if interactive else (words[:-1], words[-1:])
        if not places:
            raise UsageError(
                "There are no results, or no question.",
                tip='cinecut ask movie.mkv.cinecut "Who crosses the bridge?"',
            )
        server = arguments.server_of_somebody_else(context, server_url, model)
        silence_limit_s = arguments.checked_seconds("--load-timeout", load_timeout)
        timeout_s = None if timeout is None else arguments.checked_seconds("--timeout", timeout)
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)

        def settings(film: Film) -> RunSettings:
            files: tuple[Path | None, Path | None] = (None, None)
            if not server_url:
                own = None if model or mmproj else find_named_files(film.model, models_dir)
                hardware = partial(look_at_hardware, device.value, gpu, llama_server)
                files = own or find_model_files(model, mmproj, models_dir, hardware)
                if not (own or model) and film.model_name:
                    terminal.notice(
                        f"{film.model_name}, which described {film.name}, is not on this machine: "
                        "another model answers."
                    )
            return RunSettings(
                **server,
                model=files[0],
                mmproj=files[1],
                prompt=replace(make_prompt(language=language), text_context=_CONTEXT_TOKENS),
                llama_server=llama_server,
                device=device.value,
                gpu=gpu,
                slots=1,
                skip_vram_check=skip_vram_check,
                silence_limit_s=silence_limit_s,
                timeout_s=timeout_s,
            )

        with (
            interruptible() as is_cancelled,
            Library(*map(Path, places), index=index, processes=None) as library,
            Conversation(library, settings, terminal, is_cancelled) as conversation,
        ):
            if questions:
                conversation.ask(questions[0])
                return
            for question in _typed(terminal):
                try:
                    conversation.ask(question)
                except (UsageError, InferenceError) as error:
                    terminal.error(error)


def _typed(terminal: Terminal) -> Iterator[str]:
    """Yield lines from stdin until an empty one."""
    while True:
        if sys.stdin.isatty():
            terminal.prompt("? ")
        with interruptible(at_once=True):
            line = sys.stdin.buffer.readline(_LONGEST_LINE_BYTES)
        if not line.strip():
            return
        yield line.decode("utf-8", errors="replace").strip()
