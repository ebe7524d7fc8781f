"""Finds the films that hits are from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cinecut.errors import CineCutError, FilmError
from cinecut.excerpts.spans import Excerpt
from cinecut.search import Hit


def film_of(hit: Hit) -> Path:
    """Return the film that a hit is from.

    Raises:
        FilmError: It does not lie beside its results any more.
    """
    if (film := hit.film_path) is None:
        raise FilmError(
            hit.film,
            "It does not lie beside its results.",
            check=f"Where the film is: {hit.folder} has its name, with .cinecut at the end.",
            tip="Move the results folder to it.",
        )
    return film


def with_films(
    excerpts: Iterable[Excerpt], on_error: Callable[[CineCutError], None]
) -> Iterator[tuple[Excerpt, Path]]:
    """Yield the excerpts whose film is there, with it; `on_error` is told once a film of others."""
    told: set[Path] = set()
    for excerpt in excerpts:
        try:
            film = film_of(excerpt.hit)
        except FilmError as error:
            if excerpt.hit.folder not in told:
                told.add(excerpt.hit.folder)
                on_error(error)
        else:
            yield excerpt, film
