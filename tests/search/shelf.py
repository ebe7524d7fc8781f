"""A shelf of films that were described, as journals alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinecut.inference.models import SceneDescription
from cinecut.models import KeyframeRecord
from cinecut.results.scenes import Run, Scene, run_to_line, scene_to_line


def scene(index: int, told: str, *, source: str = "scene_change") -> Scene:
    """Return a scene described by `visual | mood | action | setting`; what is left out is `-`."""
    texts = [*(text.strip() or "-" for text in told.split("|")), "-", "-", "-"]
    visual, mood, action, setting = texts[:4]
    description = SceneDescription(visual_content=visual, mood=mood, action=action, setting=setting)
    picture = f"/elsewhere/frames/{index * 1000:09}.jpg"
    return Scene(index, KeyframeRecord(float(index), picture, source), description, None, 0.1)


def write_film(shelf: Path, name: str, scenes: Sequence[str | Scene]) -> Path:
    """Write the results of a film and return their folder."""
    folder = shelf / f"{name}.cinecut"
    folder.mkdir(parents=True, exist_ok=True)
    entries = [scene(at, each) if isinstance(each, str) else each for at, each in enumerate(scenes)]
    lines = [run_to_line(Run({"name": name}, {}, {})), *map(scene_to_line, entries)]
    (folder / "scenes.jsonl").write_text("".join(lines))
    return folder
