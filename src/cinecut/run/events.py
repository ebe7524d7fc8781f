"""What happens while films are described, as it is told to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from cinecut.results.scenes import Scene
from cinecut.run.outcomes import FilmOutcome


@dataclass(frozen=True)
class FilmBegan:
    """A film has been opened; its scenes follow."""

    outcome: FilmOutcome


@dataclass(frozen=True)
class SceneDone:
    """A scene is in the journal."""

    outcome: FilmOutcome
    """What has become of its film so far."""
    scene: Scene


@dataclass(frozen=True)
class FilmGoesOn:
    """Time has passed, with or without a scene: a run that is resumed passes over many frames."""

    outcome: FilmOutcome


@dataclass(frozen=True)
class FilmEnded:
    """A film is complete, or has failed with `outcome.error`."""

    outcome: FilmOutcome


Event = FilmBegan | SceneDone | FilmGoesOn | FilmEnded
"""Snapshots that may travel to another machine."""
