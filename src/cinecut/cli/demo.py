"""`cinecut demo`: the whole thing, on a film and a model that come with the package."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Final

import typer

from cinecut.cli import options
from cinecut.cli.boundary import FAILED, exit_codes, interruptible

_DEMO_FOLDER: Final = Path("cinecut-demo")
_QUERY: Final = "campfire at night"  # words that are in no description
_HONEST_WORDS: Final = (
    "The demo model is a toy of 1.5 million parameters: it names light, colours and detail, is "
    "usually right, and knows nothing else."
)


def demo(
    output_dir: Annotated[
        Path,
        typer.Option(
            envvar="CINECUT_OUTPUT_DIR", metavar="DIR", help="Where the results folder goes."
        ),
    ] = _DEMO_FOLDER,
    llama_server: options.LlamaServer = None,
    open_page: Annotated[
        bool,
        typer.Option("--open", envvar="CINECUT_OPEN", help="Open the storyboard in a browser."),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Describe a short film with a tiny model; both come with the package."""
    from cinecut.cli.batch import describe_films
    from cinecut.cli.terminal import Terminal
    from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_PATH
    from cinecut.model_store.choice import PULL_COMMAND
    from cinecut.results.page.index_page import STORYBOARD_NAME
    from cinecut.run.jobs import results_folder
    from cinecut.run.settings import RunSettings

    with exit_codes(goes_on=False), interruptible() as is_cancelled:
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)
        settings = RunSettings(
            model=MODEL_PATH,
            mmproj=MMPROJ_PATH,
            llama_server=llama_server,
            device="cpu",  # it is done in seconds, and a GPU may be busy with something better
            output_dir=output_dir,
            formats=("html",),
            fresh=True,
        )
        code = describe_films([FILM_PATH], settings, terminal, is_cancelled, strict=True)
        if code == FAILED:
            raise typer.Exit(code)
        storyboard = results_folder(FILM_PATH, output_dir) / STORYBOARD_NAME
        terminal.tell(f"The storyboard: {storyboard}")
        if sentence := _one_search(storyboard.parent):
            terminal.tell(sentence)
        terminal.tell(f"{_HONEST_WORDS} A real one: {PULL_COMMAND}")
        if open_page and not webbrowser.open(storyboard.as_uri()):
            terminal.notice("No browser was found to open the storyboard with.")
        raise typer.Exit(code)


def _one_search(results: Path) -> str | None:
    """Say what a search finds in the results by their meaning; None where it cannot."""
    from cinecut.errors import SearchIndexError
    from cinecut.results.presentation import timecode
    from cinecut.search import Library

    try:
        with Library(results) as library:
            hits = library.search(_QUERY, 1)
    except SearchIndexError:  # the cache cannot be written, and the demo was about describing
        return None
    found = [f'cinecut search "{_QUERY}" finds {timecode(hit.timestamp_s)}' for hit in hits]
    return found[0] if found else None
