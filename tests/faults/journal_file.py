"""Reads a journal without CineCut's own code, and says what must not be in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class JournalFile:
    """What stands in a scenes.jsonl, read without CineCut's own code."""

    run: Mapping[str, Any] | None
    scenes: Mapping[int, Mapping[str, Any]]
    problems: list[str]

    @property
    def is_finished(self) -> bool:
        return self.run is not None and self.run.get("finished") is not None

    @property
    def skipped(self) -> Counter[str]:
        """Reasons of the skips."""
        skips = (scene["skipped"] for scene in self.scenes.values())
        return Counter(skip["reason"] for skip in skips if skip)


def read_journal(path: Path) -> JournalFile:
    """Read a journal; what must not be in it is told as its problems."""
    try:
        content = path.read_bytes()
    except OSError:  # there is none, or its name is too long for one
        return JournalFile(None, {}, [])
    run, scenes, times, problems = None, {}, Counter[float](), []
    *lines, torn = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            problems.append(f"journal: line {number} is torn and not the last: {line[:80]!r}")
            continue
        kind = entry.pop("type")
        if (kind == "run") != (number == 1):
            problems.append(f"journal: line {number} is a {kind}")
        if kind == "run":
            run = entry
        else:
            scenes[entry["index"]] = _comparable(entry)
            times[entry["keyframe"]["timestamp_s"]] += 1
    problems += [f"journal: {time_s} s stands in it twice" for time_s, n in times.items() if n > 1]
    if len(scenes) < len(times):
        problems.append("journal: two scenes have the same index")
    if torn and run is not None and run.get("finished") is not None:
        problems.append("journal: finished, and its last line is torn")
    return JournalFile(run, scenes, problems)


def _comparable(scene: dict[str, Any]) -> dict[str, Any]:
    keyframe = scene["keyframe"]
    keyframe = {**keyframe, "frame_path": Path(keyframe["frame_path"]).name}
    return {**scene, "keyframe": keyframe, "elapsed_s": None}
