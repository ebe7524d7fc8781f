"""Writes hits as a page to look at, into a fresh file that only its user reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cinecut.errors import WriteError
from cinecut.excerpts.spans import excerpts_of
from cinecut.results.page.hits_page import FoundScene, Pieces, to_hits_page
from cinecut.results.page.index_page import storyboard_link
from cinecut.results.presentation import ON_SCREEN_LABEL, SOURCE_LABELS
from cinecut.search import Hit
from cinecut.text import printable

_TITLES: Final = {
    **{"action": "Action", "setting": "Setting", "mood": "Mood"},
    "text": ON_SCREEN_LABEL,
}


def write_page(hits: Sequence[Hit], query: str) -> Path:
    """Write the page of `hits` and return its path, in the system's folder for passing files.

    Raises:
        WriteError: It cannot be written.
    """
    excerpts = excerpts_of(hits, lambda _: None)  # without its journal a hit has no link
    scenes = {(each.hit.folder, each.hit.timestamp_s): each.scene for each in excerpts}
    found = [_found(hit, scenes.get((hit.folder, hit.timestamp_s))) for hit in hits]
    page = to_hits_page(printable(query), found, len({hit.folder for hit in hits}))
    try:
        descriptor, name = tempfile.mkstemp(prefix="cinecut-search-", suffix=".html")
        with os.fdopen(descriptor, "wb") as file:
            file.write(page.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise WriteError(
            Path(tempfile.gettempdir()),
            error.strerror or str(error),
            check="That this folder can be written and its disk has room.",
            tip="Name another folder: TMPDIR=DIR",
        ) from error
    return Path(name)


def _found(hit: Hit, scene: int | None) -> FoundScene:
    texts = {**hit.texts, "film": hit.film}
    told = {name: _pieces(text, hit.marks.get(name, ())) for name, text in texts.items()}
    return FoundScene(
        film=told["film"],
        timestamp_s=hit.timestamp_s,
        source=hit.source,
        source_label="Chapter" if hit.chapter else SOURCE_LABELS.get(hit.source, hit.source),
        picture_link=hit.frame_path.as_uri() if hit.frame_path else None,
        storyboard_link=storyboard_link(hit.folder, scene),
        seen=told.get("visual_content", told.get("chapter", [])),
        more=[(title, told[name]) for name, title in _TITLES.items() if told.get(name)],
        said=told.get("dialogue", []),
        by_meaning=not hit.marks,
    )


def _pieces(text: str, marks: Sequence[tuple[int, int]]) -> Pieces:
    """Return `text` in pieces, those in `marks` marked."""
    pieces, at = [], 0
    for begin, end in marks:
        pieces += [(text[at:begin], False), (text[begin:end], True)]
        at = end
    return [piece for piece in [*pieces, (text[at:], False)] if piece[0]]
