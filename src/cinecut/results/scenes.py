"""The entries of a results folder, and their form as lines of JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from cinecut.errors import OutputError
from cinecut.files import SpecialFileError, open_file
from cinecut.inference.models import ALL_FIELDS, SceneDescription
from cinecut.models import DialogueLine, KeyframeRecord, Skip, SkipReason
from cinecut.results.entries import (
    LONGEST_LINE_BYTES,
    RunEntry,
    SceneEntry,
    SummaryEntry,
    lines_of,
    parse_entry,
)

JOURNAL_NAME: Final = "scenes.jsonl"
RESULTS_SUFFIX: Final = ".cinecut"
"""What a results folder is called after its film's file."""


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
    dialogue: tuple[DialogueLine, ...] = ()
    """What is said while it stands for the film, in film order."""
    part: int | None = None
    """Which part of the film it belongs to, from 0; None until all of the film is described."""
    moments: tuple[float, ...] = ()
    """When the other pictures are shown that the model was given of its shot, in seconds."""


@dataclass(frozen=True)
class Results:
    """All that a journal holds, scenes in film order."""

    run: Run
    scenes: list[Scene]
    unreadable_lines: int = 0
    """Lines that are no entry, such as one torn by a power cut; each costs one scene at most."""
    steps: list[SummaryEntry] = field(default_factory=list)
    """What a summary is made of, in the order in which it was told."""


def passed_over(lines: int) -> str:
    """Say in a sentence that so many lines of a journal are no entry."""
    what = "line of the journal was" if lines == 1 else "lines of the journal were"
    return f"{lines:,} {what} passed over: damaged, or none of CineCut's."


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
    if scene.same_as is not None:
        entry["same_as"] = scene.same_as
    if scene.part is not None:
        entry["part"] = scene.part
    return entry | remarks(scene) | spoken(scene) | shown_beside(scene)


def remarks(scene: Scene) -> dict[str, Any]:
    """Return what is said about a scene's words, by what it is called in the journal."""
    told: dict[str, Any] = {}
    if scene.description and scene.description.shortened:
        told["shortened"] = [*scene.description.shortened]
    if scene.description and scene.description.repeats_itself:
        told["repeats_itself"] = True
    return told


def spoken(scene: Scene) -> dict[str, Any]:
    """Return what is said in a scene, by what it is called in the journal; nothing for silence."""
    return {"dialogue": [asdict(line) for line in scene.dialogue]} if scene.dialogue else {}


def shown_beside(scene: Scene) -> dict[str, Any]:
    """Return when a scene's other pictures are shown, as the journal has it; nothing for none."""
    return {"moments": [*scene.moments]} if scene.moments else {}


def time_key(scene: Scene) -> int:
    """Return what tells a scene from the others of its film: its time in milliseconds."""
    return round(scene.keyframe.timestamp_s * 1000)


def step_to_line(step: SummaryEntry) -> str:
    """Return a step to the summary as one line of JSON, its line break included."""
    return _line({"type": step.type, **step.model_dump()})


def parse_line(line: str) -> Run | Scene | SummaryEntry | None:
    """Return the entry that `line` holds, or None for a torn, damaged or unknown one."""
    match parse_entry(line):
        case RunEntry() as entry:
            return Run(entry.film, entry.model, entry.settings, entry.details, entry.finished)
        case SummaryEntry() as step:
            return step
        case SceneEntry() as entry:
            keyframe, skipped = entry.keyframe, entry.skipped
            return Scene(
                entry.index,
                KeyframeRecord(keyframe.timestamp_s, keyframe.frame_path, keyframe.source),
                _with_remarks(entry),
                Skip(cast("SkipReason", skipped.reason), skipped.detail) if skipped else None,
                entry.elapsed_s,
                entry.same_as,
                tuple(DialogueLine(line.start_s, line.end_s, line.text) for line in entry.dialogue),
                entry.part,
                tuple(entry.moments),
            )
    return None


def read_results(folder: Path) -> Results:
    """Read the journal in a results folder.

    A scene that stands there twice counts once, as its last line says; of several runs the first
    counts.

    Raises:
        OutputError: There is no journal in `folder`, or it cannot be read.
    """
    path = folder / JOURNAL_NAME
    run: Run | None = None
    scenes: dict[int, Scene] = {}
    steps: dict[tuple[str, str], SummaryEntry] = {}
    unreadable = 0
    try:
        with open_file(path, follow_links=False) as journal:
            for line in lines_of(journal):
                match parse_line(line):
                    case Scene() as scene:
                        scenes[time_key(scene)] = scene
                    case SummaryEntry() as step:
                        steps[step.step, step.key] = step
                    case Run() as entry if run is None:
                        run = entry
                    case _:
                        unreadable += 1
    except OSError as error:
        raise _unreadable(folder, error) from error
    if run is None:
        raise OutputError(
            path,
            "It has no line that describes the run.",
            check="That the file is a journal of CineCut.",
            tip="Describe the film anew: cinecut describe --fresh movie.mkv",
        )
    return Results(run, [scenes[key] for key in sorted(scenes)], unreadable, [*steps.values()])


def read_first_line(folder: Path) -> Run | Scene | SummaryEntry | None:
    """Return the entry in line 1 of the journal in `folder`, if any; no more is read.

    Raises:
        OutputError: The folder cannot be there, or what stands in the journal's place is no file.
    """
    try:
        with open_file(folder / JOURNAL_NAME, follow_links=False) as journal:
            line = journal.readline(LONGEST_LINE_BYTES)
    except FileNotFoundError:
        return None
    except (SpecialFileError, IsADirectoryError) as error:
        raise _unreadable(folder, error) from error
    except OSError as error:  # a name that is too long, a place that nobody may look at
        raise OutputError(folder, error.strerror or str(error)) from error
    return parse_line(line.decode("utf-8", errors="replace"))


def read_scene_at(folder: Path, share: float) -> Scene | None:
    """Return the scene about such a share of the journal's bytes into it, if there is one.

    Args:
        folder: The results folder.
        share: 0 for the journal's begin to 1 for its end.
    """
    try:
        with open_file(folder / JOURNAL_NAME, follow_links=False) as journal:
            journal.seek(int(share * os.fstat(journal.fileno()).st_size))
            journal.readline(LONGEST_LINE_BYTES)  # what is left of a line, or all of the first
            line = journal.readline(LONGEST_LINE_BYTES)
    except OSError:
        return None
    entry = parse_line(line.decode("utf-8", errors="replace"))
    return entry if isinstance(entry, Scene) else None


def _with_remarks(entry: SceneEntry) -> SceneDescription | None:
    if not (entry.shortened or entry.repeats_itself):  # most: a copy takes as long as reading it
        return entry.description
    told = {
        "shortened": tuple(name for name in ALL_FIELDS if name in entry.shortened),
        "repeats_itself": entry.repeats_itself,
    }
    return entry.description and entry.description.model_copy(update=told)


def _unreadable(folder: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    if isinstance(error, (SpecialFileError, IsADirectoryError)):
        return OutputError(
            folder,
            reason,
            check="Who made the folder, if you did not.",
            tip=f"Put the journal itself there, or remove {JOURNAL_NAME}.",
        )
    return OutputError(
        folder,
        reason,
        check=f"That the folder holds {JOURNAL_NAME}.",
        tip="Describe the film first: cinecut describe movie.mkv",
    )


def _line(entry: dict[str, Any]) -> str:
    # Escaped to ASCII: no lone surrogate of a file name and no line separator of a reply
    # can make a line that does not read back.
    return json.dumps(entry, separators=(",", ":")) + "\n"
