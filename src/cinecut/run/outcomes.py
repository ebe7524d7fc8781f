"""What became of a batch of films, in a form that can travel between machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cinecut.errors import CineCutError


@dataclass(frozen=True)
class FilmOutcome:
    """What became of one film, or has become of it so far."""

    film: Path
    folder: Path | None = None
    """The results folder; None for a film that could not even be begun."""
    described: int = 0
    """Scenes described now."""
    resumed: int = 0
    """Scenes that were there already."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Skipped keyframes, an earlier run's too, by reason."""
    same: int = 0
    """Scenes that took the description of one that looks the same, now."""
    shortened: int = 0
    """Scenes of the complete film with a text that was cut off at its bound."""
    circular: int = 0
    """Scenes of the complete film whose description repeats itself."""
    answered: int = 0
    """Keyframes that came back from the model now."""
    merged: int = 0
    """Keyframes that were left out because they show nearly the same picture as another."""
    position_s: float = 0.0
    """About how far into the film all keyframes are done."""
    duration_s: float | None = None
    """The film's length; None where it does not tell."""
    elapsed_s: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each stage took now: decoding, encoding, waiting, asking, writing."""
    replaces_another_run: bool = False
    """Whether results of other settings, subtitles or another model are kept aside."""
    summary: Mapping[str, Any] | None = None
    """What the film's summary came to and cost; None where none was told now."""
    exports: tuple[Path, ...] = ()
    """What was made of its journal."""
    notices: tuple[str, ...] = ()
    """What the user should know about the film."""
    worker: str | None = None
    """The worker of a cluster that described it."""
    error: CineCutError | None = None
    was_done: bool = False
    """Whether an earlier command had completed it."""


@dataclass
class Batch:
    """What became of the films of one command."""

    outcomes: list[FilmOutcome] = field(default_factory=list)
    error: CineCutError | None = None
    """Why the whole batch ended early, if it did."""
    index: Path | None = None
    """The page that leads to all storyboards, where one was asked for."""

    @property
    def errors(self) -> list[CineCutError]:
        """Every error, each once."""
        errors = [outcome.error for outcome in self.outcomes if outcome.error]
        return [*errors, self.error] if self.error else errors

    @property
    def completed(self) -> list[Path]:
        """The results folders of the films that are done."""
        return [outcome.folder for outcome in self.outcomes if outcome.folder and not outcome.error]

    @property
    def any_skipped(self) -> bool:
        """Whether a frame of a film has no description."""
        return any(outcome.skipped for outcome in self.outcomes)
