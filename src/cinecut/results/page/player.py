"""Tells the storyboard where its film is, and what is marked on the player's bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from cinecut.results import presentation
from cinecut.results.entries import LONGEST_S
from cinecut.results.page import timeline
from cinecut.results.players import PLAYERS
from cinecut.results.scenes import Results
from cinecut.results.summary import summary_of


@dataclass(frozen=True)
class PlayedFilm:
    """A film as the page plays it."""

    link: str
    """Its address, relative to the page."""
    start_s: float
    """What the file's own clock shows at 0:00: by that a browser counts."""
    chapters: list[tuple[float, str]]
    """When each begins, and its title; parts of the film where nobody told of chapters."""
    chapter_ticks: str
    caption_ends: str
    """Of each scene when its caption goes, in seconds; nothing for one that has none."""
    players: dict[str, str]
    """Programs that play it elsewhere, with the option that tells the moment."""


def film_of(
    results: Results, length_s: float, caption_ends_s: Sequence[float | None]
) -> PlayedFilm | None:
    """Return how the page plays the film; None where its place is not known."""
    path = _path(results)
    if path is None:
        return None
    chapters = _chapters(results)
    return PlayedFilm(
        link=presentation.link(path),
        start_s=_start_s(results.run.details.get("start_s")),
        chapters=chapters,
        chapter_ticks=timeline.ticks([start_s for start_s, _ in chapters if start_s], length_s),
        caption_ends=" ".join("-" if end_s is None else f"{end_s:.3f}" for end_s in caption_ends_s),
        players=dict(PLAYERS),
    )


def _path(results: Results) -> str | None:
    """Return the film's path from the results folder, with slashes.

    A journal of somebody else may name any file, but none on another machine or drive.
    """
    path = results.run.details.get("film_path")
    if not isinstance(path, str):
        name = results.run.film.get("name")
        if not isinstance(name, str) or "/" in name or name in {"", ".", ".."}:
            return None
        path = f"../{name}"
    is_elsewhere = PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor
    return None if is_elsewhere or "\0" in path else path


def _start_s(start_s: Any) -> float:
    is_number = isinstance(start_s, int | float) and not isinstance(start_s, bool)
    return float(start_s) if is_number and 0 < start_s < LONGEST_S else 0.0


def _chapters(results: Results) -> list[tuple[float, str]]:
    if (summary := summary_of(results)) and summary.chapters:
        return [(chapter.start_s, chapter.title) for chapter in summary.chapters]
    return [
        (part.scenes[0].keyframe.timestamp_s, f"Part {part.number:,}")
        for part in presentation.parts(results)
    ]
