"""A shelf of films that were described, as journals alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinecut.inference.models import SceneDescription
from cinecut.models import DialogueLine, KeyframeRecord
from cinecut.results.scenes import Run, Scene, run_to_line, scene_to_line


def scene(index: int, told: str, *, source: str = "scene_change") -> Scene:
    """Return a scene of `visual | mood | action | setting | dialogue`; what is left out is `-`."""
    texts = [*(text.strip() for text in told.split("|")), "", "", "", ""]
    visual, mood, action, setting = (text or "-" for text in texts[:4])
    description = SceneDescription(visual_content=visual, mood=mood, action=action, setting=setting)
    picture = f"/elsewhere/frames/{index * 1000:09}.jpg"
    keyframe = KeyframeRecord(float(index), picture, source)
    lines = tuple(DialogueLine(index + 0.25, index + 0.75, said) for said in texts[4:] if said)
    return Scene(index, keyframe, description, None, 0.1, dialogue=lines)


def write_film(
    shelf: Path, name: str, scenes: Sequence[str | Scene], length_s: float | None = None
) -> Path:
    """Write the results of a film and return their folder; with a length they are complete."""
    folder = shelf / f"{name}.cinecut"
    folder.mkdir(parents=True, exist_ok=True)
    entries = [scene(at, each) if isinstance(each, str) else each for at, each in enumerate(scenes)]
    whole = {"scenes": len(scenes)} if length_s else None
    run = Run({"name": name}, {}, {}, {"duration_s": length_s}, whole)
    lines = [run_to_line(run), *map(scene_to_line, entries)]
    (folder / "scenes.jsonl").write_text("".join(lines))
    return folder
