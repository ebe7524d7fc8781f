"""Finds films in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from cinecut.errors import MachineError
from cinecut.film.discs import is_no_film_alone

FILM_SUFFIXES: Final = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""What files in a folder are taken for films; a film that is named itself may end as it likes."""


def list_films(paths: Iterable[Path], *, recursive: bool) -> Iterator[Path]:
    """Yield the films in `paths`, each once: files as they are, folders looked through.

    Args:
        paths: Films, and folders if `recursive`; a folder is yielded itself otherwise.
        recursive: Look through folders and all folders in them, in the order of names. Hidden
            ones are left out, those that may not be read, and what on a disc is no film of its
            own.

    Raises:
        MachineError: The system lets this process look into no more folders.
    """
    seen = set()
    for path in paths:
        for film in _films_in(path) if recursive and path.is_dir() else [path]:
            place = where(film)
            if place not in seen:
                seen.add(place)
                yield film


def where(path: Path) -> tuple[Path, str]:
    """Return the folder in which `path` really is, and its name there."""
    return _resolved(path.parent), path.name


@lru_cache(maxsize=1024)
def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError):  # the latter, before Python 3.13: a loop of links
        return folder.absolute()


def _films_in(folder: Path) -> Iterator[Path]:
    # Not rglob: since Python 3.13 it takes a folder that cannot be opened for an empty one.
    walk = os.walk(folder, onerror=_pass_over)
    found = [Path(place, name) for place, _, names in walk for name in names]
    for path in sorted(found):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        is_film = path.suffix.lower() in FILM_SUFFIXES and not is_no_film_alone(path)
        if is_film and not is_hidden and path.is_file():
            yield path


def _pass_over(error: OSError) -> None:
    if told := MachineError.of(error):
        raise told from error
