"""Writes a film's storyboard: one HTML page to look at, search and print."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cinecut.models import KEYFRAME_SOURCES
from cinecut.results import presentation
from cinecut.results.page import player, timeline
from cinecut.results.page.rendering import render
from cinecut.results.scenes import Results, Scene
from cinecut.results.summary import summary_of

_STRIP_PICTURES: Final = 16
"""Pictures in the film strip: at 1280 pixels each is about as wide as it is high."""

_MOODS_OFFERED: Final = 40
"""The commonest moods get a button; the search finds the others."""
_MOOD_MAX_CHARS: Final = 32
"""A longer mood is a sentence and no name for a group of scenes."""

# Models list moods in one string; the marks are those of Latin, Arabic and East Asian lists.
_BETWEEN_MOODS = re.compile(r"[,;/|&·،؛、\uff0c\uff1b]|\band\b", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """One scene as the page shows it."""

    scene: Scene
    picture_link: str | None
    """None where the folder has no picture of its own for it."""
    source_label: str
    skip_label: str | None
    repeat_label: str | None
    """That it is one of several that look the same."""
    first_index: int | None
    """The first of those."""
    moods: list[str]
    opens: presentation.Part | None
    """The part of the film that begins with it, if one does."""


def to_storyboard(results: Results, caption_ends_s: Sequence[float | None] = ()) -> str:
    """Return the film's page, which shows the pictures that lie beside it in `frames/`.

    Pictures are linked and not embedded, whatever the film's length: 3,000 embedded pictures make
    a page of 200 MB and more, which no browser opens in two seconds, and nothing could load them
    lazily. A second way for short films would only be a second page to keep right; who hands a
    storyboard on zips the folder.

    Args:
        results: The film's results.
        caption_ends_s: Of each scene when its caption goes, should the film be played on the page.
    """
    repeats = presentation.repeats(results)
    parts = presentation.parts(results)
    opens = {part.scenes[0].index: part for part in parts}
    cards = [
        _card(scene, repeats.get(scene.index), opens.get(scene.index)) for scene in results.scenes
    ]
    length_s = timeline.length_s(results)
    film = player.film_of(results, length_s, caption_ends_s)
    return render(
        "storyboard.html.j2",
        styles=["base.css", "search.css", "storyboard.css", "storyboard-print.css", "player.css"],
        scripts=[
            "theme.js",
            "pictures.js",
            "words.js",
            "board.js",
            "in-view.js",
            "timeline.js",
            "parts.js",
            "viewer.js",
            "keyboard.js",
            "player.js",
            "playing.js",
        ],
        plays_film=film is not None,
        player=film,
        film=presentation.film_name(results.run),
        model=presentation.model_name(results.run),
        duration_s=presentation.duration_s(results),
        length_s=length_s,
        cards=cards,
        parts=parts,
        part_ticks=timeline.ticks(
            [part.scenes[0].keyframe.timestamp_s for part in parts[1:]], length_s
        ),
        unfinished=results.run.finished is None,
        skipped=sum(scene.skipped is not None for scene in results.scenes),
        tracks=timeline.tracks(results.scenes, length_s),
        axis=timeline.axis(length_s),
        strip=_strip(cards, length_s),
        moods=_commonest_moods(cards),
        known_sources=KEYFRAME_SOURCES,
        summary=summary_of(results),
        times={scene.index: scene.keyframe.timestamp_s for scene in results.scenes},
        facts=_facts(results),
    )


def moods(text: str) -> list[str]:
    """Return the moods that `text` lists, in lower case, each once."""
    names = (part.strip(" .!…。").lower() for part in _BETWEEN_MOODS.split(text))
    return list(dict.fromkeys(name for name in names if 0 < len(name) <= _MOOD_MAX_CHARS))


def _card(scene: Scene, repeat: tuple[Scene, int] | None, opens: presentation.Part | None) -> Card:
    return Card(
        scene=scene,
        picture_link=presentation.picture_link(scene),
        source_label=presentation.source_label(scene),
        skip_label=presentation.skip_label(scene),
        repeat_label=presentation.repeat_label(scene, *repeat) if repeat else None,
        first_index=repeat[0].index if repeat else None,
        moods=moods(scene.description.mood) if scene.description else [],
        opens=opens,
    )


def _commonest_moods(cards: Sequence[Card]) -> list[tuple[str, int]]:
    return Counter(mood for card in cards for mood in card.moods).most_common(_MOODS_OFFERED)


def _strip(cards: Sequence[Card], length_s: float) -> list[str]:
    """Return the pictures nearest to the middles of equal parts of the film."""
    pictures = [
        (card.scene.keyframe.timestamp_s, card.picture_link) for card in cards if card.picture_link
    ]
    if not pictures:
        return []
    part_s = length_s / _STRIP_PICTURES
    middles_s = [(number + 0.5) * part_s for number in range(_STRIP_PICTURES)]
    return [
        min(pictures, key=lambda picture: abs(picture[0] - middle_s))[1] for middle_s in middles_s
    ]


def _facts(results: Results) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return all that the journal says of the run, for the foot of the page."""
    run = results.run
    done = dict(run.finished or {})
    if results.unreadable_lines:
        done["unreadable_lines_of_the_journal"] = results.unreadable_lines
    groups = {
        "Film": run.film,
        "Model": run.model,
        "Settings": run.settings,
        "Run": run.details,
        "Result": done,
    }
    return [
        (title, list(_flat(presentation.shareable(group))))
        for title, group in groups.items()
        if group
    ]


def _flat(group: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in group.items():
        name = f"{before}{key}".replace("_", " ")
        rows += _flat(value, f"{name} · ") if isinstance(value, dict) else [(name, value)]
    return rows
