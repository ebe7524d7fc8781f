"""`cinecut mcp`: hands what was described to somebody else's model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli import options
from cinecut.cli.boundary import exit_codes
from cinecut.errors import UsageError


def mcp(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLACE...", help="Results, films, or folders with such in them. Nothing else."
        ),
    ],
    index: options.SearchIndex = None,
) -> None:
    """Let an agent look at the films that were described (Model Context Protocol, on stdio).

    It can list them, search them, and see scenes, pictures and chapters; nothing is written.
    """
    with exit_codes(goes_on=False):
        from cinecut.agent.shelf import Shelf

        shelf = Shelf(places, index)
        try:
            from cinecut.agent.server import serve
        except ModuleNotFoundError as error:
            raise UsageError(
                f"The package {error.name} is missing.",
                tip="Install what this takes: pip install '.[mcp]'",
            ) from error
        serve(shelf)
