"""`cinecut search`: words in, scenes of all described films out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli import options
from cinecut.cli.boundary import DONE, exit_codes, interruptible
from cinecut.errors import UsageError


def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY", help='Words, "phrases", prefix*, field:word; in quotes for the shell.'
        ),
    ],
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PLACE",
            help="Results, films, or folders with such in them. [default: where you stand]",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(envvar="CINECUT_LIMIT", metavar="N", min=1, help="At most so many.")
    ] = 10,
    film: Annotated[
        str | None,
        typer.Option(envvar="CINECUT_FILM", metavar="TEXT", help="Films with this in their name."),
    ] = None,
    mood: Annotated[
        str | None,
        typer.Option(envvar="CINECUT_MOOD", metavar="WORD", help="Scenes of this mood."),
    ] = None,
    source: Annotated[
        options.Source | None,
        typer.Option(envvar="CINECUT_SOURCE", help="Frames that were chosen for this."),
    ] = None,
    play: Annotated[
        int | None,
        typer.Option(
            envvar="CINECUT_PLAY",
            metavar="N",
            min=0,
            help="Start a player at hit N; 0 prints the command of each.",
        ),
    ] = None,
    look: Annotated[
        bool,
        typer.Option("--open", envvar="CINECUT_OPEN", help="Show the hits in a browser, too."),
    ] = False,
    export: Annotated[
        options.HitFormat | None,
        typer.Option(envvar="CINECUT_EXPORT", help="Write the hits for an editor's program."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_OUTPUT",
            metavar="FILE",
            help="Where --export writes. [default: stdout]",
            show_default=False,
        ),
    ] = None,
    index: options.SearchIndex = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find scenes in the films that were described.

    Fields are visual, mood, action, setting, text (on the screen), dialogue, chapter and film.
    Phrases and field:word every hit has; of other words as many as possible.
    """
    from cinecut.cli.handing_on import check_export, export_hits, open_page
    from cinecut.cli.search_view import SearchView
    from cinecut.cli.terminal import Terminal
    from cinecut.search import Library

    with exit_codes(), interruptible(at_once=True):
        check_export(export, output, is_stdout_taken=json or play is not None)
        terminal = Terminal(json=json, quiet=quiet)
        view = SearchView(terminal)
        with Library(*(places or ()), index=index, processes=None) as library:
            chosen = source.value if source else None
            hits = library.search(query, limit, film=film, mood=mood, source=chosen)
            if not hits:
                view.show_nothing(query, library.films)
        if play is not None and play > len(hits):
            raise UsageError(f"--play {play}: there are {len(hits)} hits.")
        if not export or output:
            view.show_all(hits, play)
        code = export_hits(hits, query, terminal, export, output) if export else DONE
        if look and hits:
            open_page(hits, query, terminal)
        if play:
            view.play(hits[play - 1])
        raise typer.Exit(code)
