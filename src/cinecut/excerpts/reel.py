"""Cuts hits out of their films, into one file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cinecut.errors import CineCutError, UsageError, WriteError
from cinecut.excerpts.films import with_films
from cinecut.excerpts.spans import excerpts_of
from cinecut.files import replacing
from cinecut.film.cutting import FORMATS, Piece, cut_pieces
from cinecut.results.scenes import read_results
from cinecut.search import Hit


def hits_of(folder: Path, scenes: Sequence[int]) -> list[Hit]:
    """Return scenes of a film, by their numbers from 0, as if they had been searched.

    Raises:
        OutputError: The results cannot be read.
        UsageError: There is no such scene.
    """
    results = read_results(folder)
    there = {scene.index: scene.keyframe for scene in results.scenes}
    for number in scenes:
        if number not in there:
            raise UsageError(
                f"--scene {number}: {folder.name} has no such scene.",
                tip="Scenes count from 0, as in scenes.json and the storyboard's links (#scene-0).",
            )
    film = str(results.run.film.get("name", folder.name))
    keyframes = [there[number] for number in scenes]
    at = folder.absolute()
    return [Hit(film, at, one.timestamp_s, one.source, 1.0, None, None) for one in keyframes]


def check_output(path: Path, *, overwrite: bool) -> None:
    """Make sure that a reel may be written to `path`.

    Raises:
        UsageError: Its suffix tells no container.
        WriteError: Something is there.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--output {path.name}: its suffix tells no container.",
            tip=f"End it with one of {', '.join(FORMATS)}",
        )
    if os.path.lexists(path) and not overwrite:
        raise _unwritable(path, FileExistsError(errno.EEXIST, "It is there already."))


def write_reel(
    hits: Sequence[Hit],
    path: Path,
    on_error: Callable[[CineCutError], None],
    tell: Callable[[str], None],
    *,
    is_exact: bool = False,
) -> list[Piece]:
    """Write the moments of `hits` to `path`, in their order, and return them.

    Nothing is written where no film is there.

    Args:
        hits: What was found or chosen.
        path: Where to; what is there is replaced when the whole is written.
        on_error: Takes why the hits of a film were left out, once a film.
        tell: Takes what of a film is not taken along.
        is_exact: Whether each begins and ends with its own pictures, which are encoded again.

    Raises:
        FilmError: A film cannot be copied.
        UsageError: The films are coded differently, or the container cannot hold them.
        WriteError: The file cannot be written.
    """
    found = with_films(excerpts_of(hits, on_error), on_error)
    pieces = [Piece(film, each.begin_s, each.end_s) for each, film in found]
    if not pieces:
        return []
    try:
        for piece in pieces:
            if path.exists() and path.samefile(piece.film):
                raise UsageError(f"--output {path.name} is the film itself.")
        with replacing(path) as file:
            cut_pieces(pieces, file, path.suffix.lower(), tell, is_exact=is_exact)
    except (OSError, ValueError) as error:  # a null character in the name
        raise _unwritable(path, error) from error
    return pieces


def _unwritable(path: Path, error: Exception) -> WriteError:
    return WriteError(path, getattr(error, "strerror", None) or str(error))
