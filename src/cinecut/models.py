"""The records that pass between the stages of CineCut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

KeyframeSource = Literal["subtitle_midpoint", "scene_change", "interval_fallback"]

KEYFRAME_SOURCES: Final[tuple[KeyframeSource, ...]] = get_args(KeyframeSource)
"""Why a frame was chosen, the strongest reason first."""

KEYFRAME_SHORT_SIDE_PX: Final = 672
"""The short side of a keyframe's JPEG, in pixels, at the most.

LLaVA-1.5 looks at 336 x 336 and LLaVA-1.6 at tiles of that up to 672 x 672.
"""

THUMB_PX: Final = (16, 9)
"""Width and height of a keyframe's thumb, in pixels: enough to tell one place from another."""


@dataclass(frozen=True)
class KeyframeRecord:
    """One chosen frame of a film."""

    timestamp_s: float
    """Presentation time in seconds from the film's start, as a player shows it; never negative."""
    frame_path: str
    """Absolute path of the frame's JPEG."""
    source: str
    """Why the frame was chosen: one of `KEYFRAME_SOURCES`."""


@dataclass(frozen=True)
class Moment:
    """Another picture of a keyframe's shot; it is on no disk."""

    timestamp_s: float
    """Presentation time in seconds from the film's start."""
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True)
class DialogueLine:
    """What somebody says: one line of the subtitles in use."""

    start_s: float
    """When it comes on the screen, in seconds from the film's start."""
    end_s: float
    text: str
    """Plain text on one line, in the language of the subtitles."""


SkipReason = Literal["malformed", "truncated", "timeout", "server_error", "bad_image", "too_large"]


@dataclass(frozen=True)
class Skip:
    """Why a keyframe has no description."""

    reason: SkipReason
    detail: str
    """What was seen, in one line, for a person."""
