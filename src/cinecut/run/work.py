"""One film while it is described: what is done of it, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cinecut.errors import CineCutError
from cinecut.film.keyframes import KeyframeScan
from cinecut.results.scenes import Scene
from cinecut.run.jobs import FilmJob
from cinecut.run.outcomes import FilmOutcome
from cinecut.run.stages import Stages


@dataclass(eq=False)
class FilmWork:
    """One film while it is described, and what came of it; its numbers grow meanwhile."""

    job: FilmJob
    scan: KeyframeScan | None = None
    """For the film's facts and the position in it; None before the film was opened."""
    to_do: int = 0
    """Keyframes found that have no scene yet, those done meanwhile included."""
    answered: int = 0
    """Keyframes that came back from the model."""
    same: int = 0
    """Keyframes that took the description of one that looks the same."""
    earlier: int = 0
    """Keyframes that an earlier run has left in the journal, skipped ones too."""
    resumed: int = 0
    """Scenes that an earlier run has left in the journal."""
    described: int = 0
    """Scenes described by this run."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Skipped keyframes, an earlier run's too, by reason."""
    shortened: int = 0
    """Scenes with a text that was cut off at its bound; known when the film is complete."""
    circular: int = 0
    """Scenes whose description repeats itself; known when the film is complete."""
    done: dict[int, Scene] = field(default_factory=dict)
    """What has become of each keyframe, an earlier run's too, by its place in the film."""
    thumbs: dict[int, bytes] = field(default_factory=dict)
    """Each keyframe's picture in its smallest, if it can be read, by its place in the film."""
    stand_ins: dict[int, int] = field(default_factory=dict)
    """Who is asked about, or was, instead of a keyframe that has no description."""
    is_scanned: bool = False
    replaces_another_run: bool = False
    notices: tuple[str, ...] = ()
    """What the user should know about the film's journal."""
    error: CineCutError | None = None
    exports: list[Path] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)
    """Where the time goes."""
    began_s: float = field(default_factory=time.monotonic)
    elapsed_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether all of its keyframes are done."""
        return self.is_scanned and self.answered + self.same == self.to_do

    def note_earlier(self, index: int, scene: Scene, first: int | None) -> None:
        """Count a scene that is in the journal already; `first` looks the same, if any does."""
        self.earlier += 1
        self.done[index] = scene
        before = None if first is None else self.done.get(first)
        if first is not None and before and scene.description and not before.description:
            self.stand_ins.setdefault(first, index)
        if scene.skipped:
            self.skipped[scene.skipped.reason] += 1
        else:
            self.resumed += 1

    def seconds(self) -> dict[str, float]:
        """Return how long each stage has taken; making the pictures is part of the scan."""
        encoding_s = self.scan.report.encoding_s if self.scan else 0.0
        scanning_s = self.stages.decoding
        return replace(self.stages, decoding=scanning_s - encoding_s, encoding=encoding_s).rounded()

    def outcome(self) -> FilmOutcome:
        """Return what has become of the film so far."""
        return FilmOutcome(
            self.job.path,
            self.job.folder,
            described=self.described,
            resumed=self.resumed,
            skipped=dict(self.skipped),
            same=self.same,
            shortened=self.shortened,
            circular=self.circular,
            answered=self.answered,
            elapsed_s=self.elapsed_s or time.monotonic() - self.began_s,
            replaces_another_run=self.replaces_another_run,
            seconds=self.seconds(),
            exports=tuple(self.exports),
            error=self.error,
            **self._facts_of_scan(),
        )

    def _facts_of_scan(self) -> dict[str, Any]:
        if self.scan is None:
            return {}
        report, duration_s = self.scan.report, self.scan.info.duration_s
        return {
            "merged": report.merged,
            "position_s": report.position_s * self._share_done(),
            "duration_s": duration_s,
            "notices": (*self.notices, *report.notices),
        }

    def _share_done(self) -> float:
        """Return the share that is done of the keyframes that have been found."""
        found = self.earlier + self.to_do
        return (self.earlier + self.answered + self.same) / found if found else 1.0
