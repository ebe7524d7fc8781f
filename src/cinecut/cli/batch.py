"""Describes a batch of films for a command, shows what became of it, and picks the exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cinecut.cli.boundary import DONE, FAILED, PARTLY_DONE, print_error
from cinecut.cli.describe_view import DescribeView
from cinecut.cli.terminal import Terminal
from cinecut.run.batch import describe_batch
from cinecut.run.outcomes import Batch
from cinecut.run.settings import RunSettings


def describe_films(
    films: list[Path],
    settings: RunSettings,
    terminal: Terminal,
    is_cancelled: Callable[[], bool],
    *,
    strict: bool,
) -> int:
    """Describe what is not done yet, and return the exit code."""
    view = DescribeView(terminal, len(films))
    batch = describe_batch(films, settings, view, is_cancelled)
    return show_outcome(batch, view, len(films), strict=strict)


def show_outcome(batch: Batch, view: DescribeView, films: int, *, strict: bool) -> int:
    """Show what became of a batch of so many films, and return the exit code.

    What was wrong with a film has been told when its turn came.
    """
    if films > 1:
        view.show_table(batch)
    if batch.error:
        print_error(batch.error)
    if batch.errors:
        return PARTLY_DONE if batch.completed else FAILED
    return PARTLY_DONE if strict and batch.any_skipped else DONE
