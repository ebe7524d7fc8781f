"""Writes the index page over the storyboards of several films."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from cinecut.files import is_file
from cinecut.results import presentation
from cinecut.results.page.rendering import render
from cinecut.results.pictures import poster_of
from cinecut.results.scenes import Results

STORYBOARD_NAME: Final = "storyboard.html"


@dataclass(frozen=True)
class Film:
    """One film as the index shows it."""

    name: str
    storyboard_link: str
    poster_link: str | None
    """None where no picture of the film lies in its folder any more."""
    scenes: int
    skipped: int
    duration_s: float | None
    texts: str | None = None
    """What its scenes say, packed for the search; None for a film that the search leaves out."""


def storyboard_link(folder: Path, scene: int | None) -> str | None:
    """Return where the film's own page shows a scene, if it has such a page of its own."""
    page = folder / STORYBOARD_NAME
    if scene is None or page.is_symlink() or not is_file(page):
        return None
    return f"{page.absolute().as_uri()}#scene-{scene}"


def to_index(films: Sequence[Film]) -> str:
    """Return the page that shows `films` in the order given."""
    return render(
        "index.html.j2",
        styles=["base.css", "search.css", "index.css"],
        scripts=[
            "theme.js",
            "pictures.js",
            "words.js",
            "library.js",
            "finding.js",
            "hits.js",
            "index.js",
        ],
        films=films,
        searched=sum(film.texts is not None for film in films),
        scenes=sum(film.scenes for film in films),
    )


def film_of(folder: Path, results: Results, *, seen_from: Path, texts: str | None = None) -> Film:
    """Return what the index in the folder `seen_from` shows of the results in `folder`."""
    poster = poster_of(folder, results)
    return Film(
        name=presentation.film_name(results.run),
        storyboard_link=_link(folder / STORYBOARD_NAME, seen_from),
        poster_link=_link(poster, seen_from) if poster else None,
        scenes=len(results.scenes),
        skipped=sum(scene.skipped is not None for scene in results.scenes),
        duration_s=presentation.duration_s(results),
        texts=texts,
    )


def _link(path: Path, seen_from: Path) -> str:
    try:
        relative = PurePath(os.path.relpath(path, seen_from))
    except ValueError:  # on another drive, which no relative path reaches
        return path.resolve().as_uri()
    return presentation.link(relative.as_posix())
