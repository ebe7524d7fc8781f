"""Writes the page of what a search found: scenes of several films, the words marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cinecut.models import KEYFRAME_SOURCES
from cinecut.results.page.rendering import render

Pieces = list[tuple[str, bool]]
"""A text in pieces, and of each whether it is what was looked for."""


@dataclass(frozen=True)
class FoundScene:
    """A scene as the page shows it."""

    film: Pieces
    timestamp_s: float
    source: str
    source_label: str
    picture_link: str | None
    """None where the film's results have no such picture any more."""
    storyboard_link: str | None
    """The scene on its film's own page; None where there is none."""
    seen: Pieces
    """What is seen; empty for a scene without a description."""
    more: list[tuple[str, Pieces]]
    """The other parts of the description, each with its title."""
    said: Pieces
    by_meaning: bool
    """Whether no word of it was looked for."""


def to_hits_page(query: str, found: Sequence[FoundScene], films: int) -> str:
    """Return the page that shows what was found for `query` in so many films, in the order given.

    Its links are absolute: it lies anywhere.
    """
    return render(
        "hits.html.j2",
        styles=["base.css", "search.css", "storyboard.css", "hits.css"],
        scripts=["theme.js", "pictures.js"],
        query=query,
        found=found,
        films=films,
        known_sources=KEYFRAME_SOURCES,
    )
