"""The `cinecut` command and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

import cinecut
from cinecut.cli.ask import ask
from cinecut.cli.clip import clip
from cinecut.cli.demo import demo
from cinecut.cli.describe import describe
from cinecut.cli.doctor import doctor
from cinecut.cli.export import export
from cinecut.cli.keyframes import keyframes
from cinecut.cli.mcp import mcp
from cinecut.cli.models import models
from cinecut.cli.search import search
from cinecut.cli.summarize import summarize

app = typer.Typer(
    name="cinecut",
    help="Describe films on your own machine: keyframes, a local vision model, one scene each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug prints its plain traceback
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (describe, keyframes, summarize, search, ask, clip, mcp, export, doctor, demo):
    app.command()(command)
app.add_typer(models, name="models")


def main() -> None:
    """Run the command line."""
    app()


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"cinecut {cinecut.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass
