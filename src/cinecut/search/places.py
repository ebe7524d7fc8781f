"""Finds the journals below the places that somebody wants to search."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cinecut.errors import UsageError
from cinecut.results.scenes import JOURNAL_NAME, RESULTS_SUFFIX


class Found(NamedTuple):
    """A journal that is there, and what tells whether it has changed."""

    folder: Path
    size: int
    changed_ns: int


def find_journals(places: Iterable[Path]) -> Iterator[Found]:
    """Yield the journals in `places` and below them, each once.

    A results folder is not looked into any further, and no link to a folder is followed: its
    pictures are thousands, and a link may lead in a circle.
    """
    seen: set[Path] = set()
    for place in places:
        for name, below, files in os.walk(place):
            if JOURNAL_NAME not in files:
                continue
            below.clear()
            folder = Path(name)
            if folder not in seen and (found := look_at(folder)):
                seen.add(folder)
                yield found


def look_at(folder: Path) -> Found | None:
    """Return what the journal in `folder` looks like now; None where there is none to read."""
    try:
        status = (folder / JOURNAL_NAME).lstat()
    except OSError:
        return None
    return Found(folder, status.st_size, status.st_mtime_ns)


def checked_place(place: Path) -> Path:
    """Return the folder that `place` means, absolute: a film means its results.

    Raises:
        UsageError: There is no such folder, and no results of such a film.
    """
    for folder in (
        place,
        place.with_name(f"{place.name}{RESULTS_SUFFIX}") if place.name else place,
    ):
        try:
            if folder.is_dir():
                return folder.resolve()
        except OSError:  # a name that is too long, a loop of links
            continue
    raise UsageError(
        f"{place} is no folder, and no film that was described.",
        tip="Name results folders, or a folder with films that were described.",
    )


def is_below(folder: Path, places: Iterable[Path]) -> bool:
    """Say whether `folder` is one of `places` or lies in one."""
    return any(folder.is_relative_to(place) for place in places)
