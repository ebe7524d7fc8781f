"""Scenes and results as a run leaves them, to export and to look at."""

from __future__ import annotations

from cinecut.inference.models import SceneDescription
from cinecut.inference.summaries import Retelling
from cinecut.models import KEYFRAME_SOURCES, KeyframeRecord, Skip
from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import Results, Run, Scene


def scene(
    index: int,
    timestamp_s: float,
    seen: str = "A dog runs along the beach.",
    *,
    mood: str = "calm",
    action: str = "It chases a gull.",
    setting: str = "A beach at dusk",
    text: str | None = None,
    source: str | None = None,
    skip: Skip | None = None,
) -> Scene:
    """Return a scene; without a `source` the three take turns."""
    described = SceneDescription(
        visual_content=seen, mood=mood, action=action, setting=setting, text=text
    )
    keyframe = KeyframeRecord(
        timestamp_s,
        f"/somewhere/else/frames/{round(timestamp_s * 1000):09}.jpg",
        source or KEYFRAME_SOURCES[index % 3],
    )
    return Scene(index, keyframe, None if skip else described, skip, 0.25)


def results(scenes: list[Scene], film: str = "movie.mkv", length_s: float | None = 600) -> Results:
    """Return the results of a finished run."""
    model = {"model": {"name": "llava.gguf"}, "mmproj": {"name": "mmproj.gguf"}}
    details = {"duration_s": length_s}
    run = Run({"name": film}, model, {"scan": "full"}, details, {"frames": 1})
    return Results(run, scenes)


def step(kind: str, first: int, last: int, **told: object) -> SummaryEntry:
    """Return a step to a summary: `told` is what stands in a `Retelling`."""
    return SummaryEntry.model_validate(
        {
            "step": kind,
            "key": f"{kind} {first} {last}",
            "first": first,
            "last": last,
            "told": Retelling.model_validate(told),
        }
    )


def sentence(text: str, *scenes: int) -> dict[str, object]:
    """Return a sentence of a step, and the scenes that it rests on."""
    return {"text": text, "scenes": [*scenes]}
