"""`cinecut export`: a results folder in, other formats out, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli import options
from cinecut.cli.boundary import exit_codes


def export(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS", help="Results folders, such as movie.mkv.cinecut"),
    ],
    formats: Annotated[
        list[options.ExportFormat],
        typer.Option("--format", envvar="CINECUT_FORMAT", help="The format; repeatable."),
    ],
    index: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_INDEX",
            metavar="FILE",
            help="Also write a page that leads to all storyboards.",
        ),
    ] = None,
) -> None:
    """Write results in other formats. Prints the path of each file."""
    from cinecut.results import exports

    with exit_codes():
        for folder in results:
            for path in exports.export(folder, options.chosen_formats(formats)):
                typer.echo(path)
        if index is not None:
            typer.echo(exports.write_index(results, index))
