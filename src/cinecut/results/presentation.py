"""Words a film, its scenes and its moments the same way in every export."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote

from cinecut.inference.models import ON_SCREEN
from cinecut.results.entries import LONGEST_S
from cinecut.results.scenes import Results, Run, Scene
from cinecut.text import printable, without_home

PICTURES_FOLDER: Final = "frames"
"""Where a results folder keeps its pictures; exports link to them from beside it."""

_PICTURE_PATH = re.compile(r"(?:.*[/\\])?([0-9]{1,16}\.jpg)", re.DOTALL)
"""A picture's path on any system; pathlib takes ten times as long to give the name."""

ON_SCREEN_LABEL: Final = "On-screen text"
"""What people call the `text` of a description; what is said is dialogue."""

SOURCE_LABELS: Final = {
    "subtitle_midpoint": "Dialogue",
    "scene_change": "Scene change",
    "interval_fallback": "Interval",
}
"""What made each kind of keyframe, in a word or two for a person."""

SKIP_LABELS: Final = {
    "malformed": "The reply was not a scene description",
    "truncated": "The reply broke off",
    "timeout": "No reply in time",
    "server_error": "The server failed",
    "bad_image": "The picture could not be used",
    "too_large": "The picture does not fit into the server's context",
}
"""Why a frame has no description, as half a sentence for a person."""


@dataclass(frozen=True)
class Part:
    """Scenes that belong together: one place, one talk, or one montage."""

    number: int
    """As people count, from 1."""
    scenes: list[Scene]


def film_name(run: Run) -> str:
    """Return the film's file name on one line, or `Untitled film` where the journal has none."""
    name = run.film.get("name")
    return (printable(name) if isinstance(name, str) else "") or "Untitled film"


def model_name(run: Run) -> str | None:
    """Return the model's name, or None where the journal has none."""
    name = run.model.get("name") or run.model.get("model")
    if isinstance(name, dict):
        name = name.get("name")
    return printable(name) if isinstance(name, str) and name else None


def duration_s(results: Results) -> float | None:
    """Return the film's length in seconds, or None where nobody could tell it."""
    duration = results.run.details.get("duration_s")
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        return None
    return float(duration) if 0 < duration < LONGEST_S else None


def timecode(seconds: float, separator: str = ".") -> str:
    """Return `seconds` as `HH:MM:SS.mmm`; hours grow past two digits where a film does."""
    milliseconds = round(seconds * 1000)
    whole, milliseconds = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{separator}{milliseconds:03}"


def clock(seconds: float) -> str:
    """Return `seconds` as people say it: `1:02:03`, or `2:03` below an hour."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def picture(scene: Scene) -> str | None:
    """Return the picture's path relative to the results folder, such as `frames/000083208.jpg`.

    The journal's absolute path is where the picture was on the day of the run: results may have
    moved since, perhaps to another system, and a path of somebody's home is nobody's business.
    None for what is no name of a picture: a journal of somebody else may name any file.
    """
    path = _PICTURE_PATH.fullmatch(scene.keyframe.frame_path)
    return f"{PICTURES_FOLDER}/{path[1]}" if path else None


def picture_link(scene: Scene) -> str | None:
    """Return the picture's address for a page that lies in the results folder."""
    path = picture(scene)
    return None if path is None else link(path)


def shareable(value: Any) -> Any:
    """Return what stands in a journal, with the user's home folder in its texts written as `~`."""
    match value:
        case str():
            return without_home(value)
        case dict():
            return {key: shareable(inner) for key, inner in value.items()}
        case list():
            return [shareable(inner) for inner in value]
    return value


def link(path: str) -> str:
    """Return `path`, relative and with slashes, as an address for a page."""
    try:
        return quote(path, errors="surrogateescape")  # the bytes of a name that is no UTF-8
    except UnicodeEncodeError:
        return quote(path, errors="replace")


def field_label(name: str) -> str:
    """Return what people call a field of a description, in small letters."""
    return ON_SCREEN_LABEL.lower() if name == ON_SCREEN else name.replace("_", " ")


def source_label(scene: Scene) -> str:
    """Return the scene's source for a person; an unknown one as the journal spells it."""
    return SOURCE_LABELS.get(scene.keyframe.source, scene.keyframe.source)


def skip_label(scene: Scene) -> str | None:
    """Return why the scene has no description, for a person; None when it has one."""
    if scene.skipped is None:
        return None
    return SKIP_LABELS.get(scene.skipped.reason, scene.skipped.reason)


def parts(results: Results) -> list[Part]:
    """Return the parts of the film, in its order; none where they are not known, or there is one.

    A part is a run of scenes, whatever numbers a journal gives: ids and headings follow from it.
    """
    if any(scene.part is None for scene in results.scenes):
        return []
    runs = [list(run) for _, run in groupby(results.scenes, lambda scene: scene.part)]
    return [Part(number, run) for number, run in enumerate(runs, 1)] if len(runs) > 1 else []


def part_label(part: Part) -> str:
    """Say which part it is, when it begins, and how many scenes it has."""
    count = f"{len(part.scenes):,} scene{'' if len(part.scenes) == 1 else 's'}"
    return f"Part {part.number:,} · {clock(part.scenes[0].keyframe.timestamp_s)} · {count}"


def repeats(results: Results) -> dict[int, tuple[Scene, int]]:
    """Return, by its index, for each scene that is one of several that look the same: the first.

    With it comes how many there are of them, the first one counted.
    """
    by_index = {scene.index: scene for scene in results.scenes}
    groups: dict[int, list[int]] = {}
    for scene in results.scenes:
        if scene.same_as is not None and scene.same_as in by_index:
            groups.setdefault(scene.same_as, [scene.same_as]).append(scene.index)
    return {
        index: (by_index[first], len(group)) for first, group in groups.items() for index in group
    }


def repeat_label(scene: Scene, first: Scene, count: int) -> str:
    """Say that `scene` is one of `count` that look the same, `first` the first of them."""
    if scene.index == first.index:
        return f"The first of {count:,} that look the same"
    return (
        f"One of {count:,} that look the same, the first at {timecode(first.keyframe.timestamp_s)}"
    )
