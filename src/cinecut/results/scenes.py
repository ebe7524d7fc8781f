"""The entries of a results folder, and their form as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from cinecut.errors import OutputError
from cinecut.inference.models import SceneDescription
from cinecut.models import KeyframeRecord, Skip

JOURNAL_NAME: Final = "scenes.jsonl"
_LONGEST_S: Final = 1e9  # a journal may be damaged; no film is thirty years long


@dataclass(frozen=True)
class Run:
    """What was described, by which model, and how: line 1 of a journal."""

    film: dict[str, Any]
    """The film's name, size, digest, duration: what makes it this film."""
    model: dict[str, Any]
    """Names and sizes of model and mmproj, or the name that an attached server gave."""
    settings: dict[str, Any]
    """Every setting that changes which scenes come out, or what they say."""
    details: dict[str, Any] = field(default_factory=dict)
    """What is good to know and changes nothing: versions, slots, the time of the start."""
    finished: dict[str, Any] | None = None
    """Counts of the whole run, written when its last keyframe is done; None until then."""

    def same_work_as(self, other: Run) -> bool:
        """Say whether both runs lead to the same scenes, so that one may resume the other."""
        return (self.film, self.model, self.settings) == (other.film, other.model, other.settings)


@dataclass(frozen=True)
class Scene:
    """What became of one keyframe: a description, or the reason why there is none."""

    index: int
    """Place among the film's keyframes, from 0, in film order."""
    keyframe: KeyframeRecord
    description: SceneDescription | None
    skipped: Skip | None
    elapsed_s: float
    """Seconds from the request to the reply."""
    same_as: int | None = None
    """Index of the first scene that looks the same and whose description this is, if any."""


@dataclass(frozen=True)
class Results:
    """All that a journal holds, scenes in film order."""

    run: Run
    scenes: list[Scene]
    unreadable_lines: int = 0
    """Lines that are no entry, such as one torn by a power cut; each costs one scene at most."""


def run_to_line(run: Run) -> str:
    """Return `run` as one line of JSON, its line break included."""
    return _line({"type": "run", **asdict(run)})


def scene_to_line(scene: Scene) -> str:
    """Return `scene` as one line of JSON, its line break included."""
    return _line(scene_to_dict(scene))


def scene_to_dict(scene: Scene) -> dict[str, Any]:
    """Return `scene` as the JSON object that stands in the journal."""
    entry = {
        "type": "scene",
        "index": scene.index,
        "keyframe": asdict(scene.keyframe),
        "description": scene.description.model_dump() if scene.description else None,
        "skipped": asdict(scene.skipped) if scene.skipped else None,
        "elapsed_s": round(scene.elapsed_s, 3),
    }
    return entry if scene.same_as is None else {**entry, "same_as": scene.same_as}


def time_key(scene: Scene) -> int:
    """Return what tells a scene from the others of its film: its time in milliseconds."""
    return round(scene.keyframe.timestamp_s * 1000)


def parse_line(line: str) -> Run | Scene | None:
    """Return the entry that `line` holds, or None for a torn, damaged or unknown one."""
    try:
        entry = json.loads(line)
        match entry.pop("type"):
            case "run":
                return Run(**entry)
            case "scene":
                return _scene_from_dict(entry)
    except (  # pydantic's is a ValueError; an absurd number or depth is an error of its own
        *(ValueError, TypeError, KeyError, AttributeError),
        *(OverflowError, RecursionError),
    ):
        return None
    return None


def read_results(folder: Path) -> Results:
    """Read the journal in a results folder.

    A scene that stands there twice counts once, as its last line says.

    Raises:
        OutputError: There is no journal in `folder`, or it cannot be read.
    """
    path = folder / JOURNAL_NAME
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise OutputError(
            folder,
            error.strerror or str(error),
            check=f"That the folder holds {JOURNAL_NAME}.",
            tip="Describe the film first: cinecut describe movie.mkv",
        ) from error
    run, scenes, unreadable = None, {}, 0
    for line in text.split("\n"):  # not at what else splitlines takes for a line's end
        if not line:
            continue
        match parse_line(line):
            case Run() as entry:
                run = entry
            case Scene() as entry:
                scenes[time_key(entry)] = entry
            case None:
                unreadable += 1
    if run is None:
        raise OutputError(
            path,
            "It has no line that describes the run.",
            check="That the file is a journal of CineCut.",
            tip="Describe the film anew: cinecut describe --fresh movie.mkv",
        )
    return Results(run, [scenes[key] for key in sorted(scenes)], unreadable)


def _scene_from_dict(entry: dict[str, Any]) -> Scene:
    same_as = entry.get("same_as")
    if not 0 <= entry["keyframe"]["timestamp_s"] < _LONGEST_S:  # not a number neither
        raise ValueError("no time in a film")
    return Scene(
        index=int(entry["index"]),
        keyframe=KeyframeRecord(**entry["keyframe"]),
        description=SceneDescription.model_validate(entry["description"])
        if entry["description"]
        else None,
        skipped=Skip(**entry["skipped"]) if entry["skipped"] else None,
        elapsed_s=float(entry["elapsed_s"]),
        same_as=None if same_as is None else int(same_as),
    )


def _line(entry: dict[str, Any]) -> str:
    # Escaped to ASCII: no lone surrogate of a file name and no line separator of a reply
    # can make a line that does not read back.
    return json.dumps(entry, separators=(",", ":")) + "\n"
