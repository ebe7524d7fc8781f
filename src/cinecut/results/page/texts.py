"""Packs what a film's scenes say, for the search of the index page."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import Final

from cinecut.inference.models import FIELDS
from cinecut.results import presentation
from cinecut.results.scenes import Results, Scene

BETWEEN_FIELDS: Final = "\x1f"
"""ASCII's unit separator, which Python counts as white space: no field keeps one of its own."""
BETWEEN_LINES: Final = " / "
"""Sets off lines of dialogue, as where subtitles are quoted."""

_LEVEL: Final = 4
"""The default, 6, takes four times as long and saves a twentieth."""


def scene_texts(results: Results) -> str:
    """Return a line a scene, after one of JSON with their indexes, times and pictures.

    A scene's line holds its fields, what is seen first, then its dialogue, and what can be read.
    """
    scenes = results.scenes
    facts = {
        "indexes": [scene.index for scene in scenes],
        "times": [round(scene.keyframe.timestamp_s, 3) for scene in scenes],
        "pictures": [presentation.picture_link(scene) for scene in scenes],
    }
    lines = [json.dumps(facts, separators=(",", ":")), *map(_line, scenes)]
    return "".join(f"{line}\n" for line in lines)


def packed(text: str) -> str:
    """Return `text` as a browser unpacks it: UTF-8, compressed by zlib, in Base64.

    Base64 has no character that means anything in HTML.
    """
    # A lone surrogate of a file's dialogue becomes the escape that JSON spells it by.
    plain = text.encode("utf-8", errors="backslashreplace")
    return b64encode(zlib.compress(plain, _LEVEL)).decode()


def _line(scene: Scene) -> str:
    said = BETWEEN_LINES.join(line.text for line in scene.dialogue)
    fields = [getattr(scene.description, name) if scene.description else "" for name in FIELDS]
    shown = [scene.description.text] if scene.description and scene.description.text else []
    return BETWEEN_FIELDS.join(" ".join(field.split()) for field in (*fields, said, *shown))
