"""What a search comes back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cinecut.models import DialogueLine
from cinecut.results.scenes import RESULTS_SUFFIX


@dataclass(frozen=True)
class Hit:
    """A scene that was found. Its texts are on one line each and safe to show."""

    film: str
    """The film's file name."""
    folder: Path
    """The results folder that the scene is from, absolute."""
    timestamp_s: float
    """When the scene's picture is shown, in seconds from the film's start."""
    source: str
    """Why the frame was chosen: one of `KEYFRAME_SOURCES`."""
    score: float
    """How well it fits, above 0; only good for comparing hits of one search."""
    frame_path: Path | None
    """The picture; None where it is not in the folder."""
    description: Mapping[str, str] | None
    """What the model said, by field; None where it said nothing and a line was found."""
    dialogue: tuple[DialogueLine, ...] = ()
    chapter: str | None = None
    """Title and text where the hit is a chapter; its time and picture are its first scene's."""
    marks: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Where the query's words stand: begin and end in each of `texts`.

    The dialogue is one text there, its lines joined by a blank. Nothing for a scene that was
    found by its meaning alone.
    """

    @property
    def texts(self) -> Mapping[str, str]:
        """All that it says, by field: what is seen comes first, nothing is empty."""
        said = " ".join(line.text for line in self.dialogue)
        texts = {**(self.description or {}), "chapter": self.chapter, "dialogue": said}
        return {name: text for name, text in texts.items() if text}

    @property
    def film_path(self) -> Path | None:
        """The film itself; None where it does not lie beside its results."""
        film = self.folder.parent / self.folder.name.removesuffix(RESULTS_SUFFIX)
        return film if film != self.folder and film.is_file() else None
