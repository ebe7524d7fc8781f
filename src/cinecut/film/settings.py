"""Holds what the user chose for a scan, and what the scan reports while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cinecut.errors import UsageError

SCENE_THRESHOLD: Final = 0.25
"""Default scene score from which a frame begins a new shot, 0 to 1."""

MOST_MOMENTS: Final = 4
"""More pictures of a shot would cost more than the film."""


@dataclass(frozen=True)
class KeyframeSettings:
    """What the user chose about keyframes."""

    interval_s: float = 30.0
    """A frame at least this often, in seconds, above 0."""
    scene_threshold: float = SCENE_THRESHOLD
    """FFmpeg's scene score from which a frame begins a new shot, above 0, at most 1."""
    scan: Literal["full", "iframes"] = "full"
    """Every frame, or the stream's key pictures alone: faster and approximate."""
    max_frames: int | None = None
    """At most so many frames, spread over the film; None for no limit."""
    moments: int = 1
    """At most so many pictures of a keyframe's shot, its own included: 1 to `MOST_MOMENTS`."""
    keep_duplicates: bool = False
    """Whether near-duplicates in a shot are kept."""
    use_subtitles: bool = True
    subtitles: Path | None = None
    """A subtitle file to use; None to look beside the film, then in it."""
    subtitle_language: str | None = None
    """A code or an English name: "fr", "fre", "pt-BR", "French"."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.interval_s) and self.interval_s >= 0.1):
            raise UsageError(f"The interval must be at least 0.1 seconds, not {self.interval_s:g}.")
        if not 0 < self.scene_threshold <= 1:
            raise UsageError(
                f"The scene threshold lies between 0 and 1, not at {self.scene_threshold:g}."
            )
        if self.scan not in ("full", "iframes"):
            raise UsageError(f"The scan is 'full' or 'iframes', not '{self.scan}'.")
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"At least 1 frame must be allowed, not {self.max_frames}.")
        if not 1 <= self.moments <= MOST_MOMENTS:
            raise UsageError(f"A keyframe has 1 to {MOST_MOMENTS} moments, not {self.moments}.")
        if self.subtitles is not None and not self.use_subtitles:
            raise UsageError("A subtitle file is named, and subtitles are not to be used.")


@dataclass
class ScanReport:
    """How far a scan is; any thread may read it while the scan runs."""

    position_s: float = 0.0
    """Where in the film the scan is, in seconds."""
    found: int = 0
    """Records given out so far."""
    merged: int = 0
    """Near-duplicates that were left out."""
    encoding_s: float = 0.0
    """Seconds that making and keeping the pictures took."""
    damaged: int = 0
    """Packets and frames that could not be read, or came out broken."""
    approximate: bool = False
    """Whether only key pictures are looked at."""
    subtitle_source: str | None = None
    """The subtitle file or track in use, or None."""
    notices: list[str] = field(default_factory=list)
    """What the user should know, one sentence each."""
