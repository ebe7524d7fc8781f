"""`cinecut clip`: scenes in, a film of their moments out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli import options
from cinecut.cli.boundary import DONE, FAILED, PARTLY_DONE, exit_codes, interruptible
from cinecut.errors import CineCutError, UsageError


def clip(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS", help="Results folders, such as movie.mkv.cinecut"),
    ],
    output: Annotated[
        Path,
        typer.Option(
            envvar="CINECUT_OUTPUT",
            metavar="FILE",
            help="The clip: .mkv, .mp4, .m4v, .mov, .webm or .ts",
        ),
    ],
    scene: Annotated[
        list[int] | None,
        typer.Option(
            envvar="CINECUT_SCENE", metavar="N", min=0, help="A scene's number, from 0; repeatable."
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_QUERY",
            metavar="TEXT",
            help="Scenes that a search finds, the best first.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(envvar="CINECUT_LIMIT", metavar="N", min=1, help="At most so many.")
    ] = 10,
    exact: Annotated[
        bool,
        typer.Option(
            envvar="CINECUT_EXACT",
            help="Begin and end on the very frames: the pictures are encoded again.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(envvar="CINECUT_OVERWRITE", help="Replace what is there.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Cut scenes out of films into one file, without encoding anything again.

    Each begins at the key picture before it, or with --exact at its own first frame.
    """
    from cinecut.cli.terminal import Terminal
    from cinecut.excerpts.reel import check_output, hits_of, write_reel
    from cinecut.search import Library

    with exit_codes(goes_on=False), interruptible(at_once=True):
        if bool(scene) == (query is not None):
            raise UsageError("Which scenes?", tip="Either --scene N or --query TEXT")
        if scene and len(results) > 1:
            raise UsageError("--scene counts the scenes of one film.", tip="Give one results.")
        check_output(output, overwrite=overwrite)
        terminal = Terminal(json=False, quiet=quiet)
        if query is not None:
            with Library(*results, processes=None) as library:
                hits = library.search(query, limit)
        else:
            hits = hits_of(results[0], scene or ())
        if not hits:
            terminal.tell(f"No scene fits: {query}")
            raise typer.Exit(DONE)
        errors: list[CineCutError] = []
        pieces = write_reel(hits, output, errors.append, terminal.notice, is_exact=exact)
        for error in errors:
            terminal.error(error)
        if not pieces:
            raise typer.Exit(FAILED)
        count = f"{len(pieces)} scene{'s' * (len(pieces) != 1)}"
        terminal.tell(f"Written: {output}, {count}")
        raise typer.Exit(PARTLY_DONE if errors else DONE)
