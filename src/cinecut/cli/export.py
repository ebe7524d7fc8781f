"""`cinecut export`: a results folder in, other formats out, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli import arguments, options
from cinecut.cli.boundary import FAILED, PARTLY_DONE, exit_codes, print_error
from cinecut.errors import CineCutError, UsageError
from cinecut.text import printable, shown


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
            help="Also write a page that leads to all storyboards and searches them.",
        ),
    ] = None,
    words_per_minute: Annotated[
        int,
        typer.Option(
            envvar="CINECUT_WORDS_PER_MINUTE",
            metavar="N",
            min=60,
            max=600,
            help="How fast the audio description is read.",
        ),
    ] = 160,
) -> None:
    """Write results in other formats. Prints the path of each file."""
    from cinecut.results.exports import formats as exports

    with exit_codes():
        chosen, exported = arguments.chosen_formats(formats), []
        if index is not None and "html" not in exports.chosen(chosen):
            raise UsageError("--index leads to storyboards.", tip="Write them too: --format html")
        for folder in results:
            try:
                for path in exports.export(folder, chosen, _notice, words_per_minute):
                    typer.echo(shown(str(path)))
                exported.append(folder)
            except CineCutError as error:
                print_error(error)
        if index is not None and exported:
            typer.echo(shown(str(exports.write_index(exported, index))))
        if len(exported) < len(results):
            raise typer.Exit(PARTLY_DONE if exported else FAILED)


def _notice(sentence: str) -> None:
    typer.echo(printable(sentence), err=True)
