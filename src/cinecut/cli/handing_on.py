"""Hands the hits of a search on: to an editor's program, to a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinecut.cli.boundary import DONE, FAILED, PARTLY_DONE
from cinecut.cli.options import HitFormat
from cinecut.cli.player import open_file
from cinecut.cli.terminal import Terminal
from cinecut.errors import CineCutError, UsageError
from cinecut.search import Hit


def check_export(export: HitFormat | None, output: Path | None, *, is_stdout_taken: bool) -> None:
    """Make sure, before anything is searched, that the hits can be handed on as was asked.

    Raises:
        UsageError: They cannot.
    """
    if export is None:
        if output is not None:
            raise UsageError(
                "--output says where, but not what is written.", tip="Say what: --export edl"
            )
        return
    from cinecut.excerpts import formats  # with PyAV, which a search alone does without

    formats.check_format(export.value)
    if output is None and is_stdout_taken:
        raise UsageError(
            "--export writes to stdout, where --json and --play write too.",
            tip=f"Have it in a file: --output hits.{export.value}",
        )


def export_hits(
    hits: Sequence[Hit], query: str, terminal: Terminal, export: HitFormat, output: Path | None
) -> int:
    """Write the hits for an editor's program and return the exit code; no hits are an empty file.

    Raises:
        WriteError: The file cannot be written.
    """
    from cinecut.excerpts import formats

    errors: list[CineCutError] = []
    text = formats.render(export.value, hits, query, terminal.notice, errors.append)
    for error in errors:
        terminal.error(error)
    if text is None:
        return FAILED
    if output is None:
        terminal.document(text)
    else:
        formats.write(output, export.value, text)
        terminal.tell(f"Written: {output}")
    return PARTLY_DONE if errors else DONE


def open_page(hits: Sequence[Hit], query: str, terminal: Terminal) -> None:
    """Show the hits in a browser.

    Raises:
        CineCutError: The page cannot be written, or there is no program to open it.
    """
    from cinecut.excerpts.page import write_page

    path = write_page(hits, query)
    terminal.tell(f"The page: {path}")
    if not open_file(path):
        raise CineCutError(
            f"Failed to open '{path.name}'.",
            cause="No program opened it.",
            check="That this machine has a browser, and a screen.",
            tip=f"Open it yourself: {path}",
        )
