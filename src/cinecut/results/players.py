"""Which players begin a film at a moment, and how each is told."""

from __future__ import annotations

from typing import Final

PLAYERS: Final = {"mpv": "--start", "vlc": "--start-time"}
"""The option by program, the one that is to be tried first coming first."""


def start_option(player: str, seconds: float) -> str:
    """Return what has `player`, one of `PLAYERS`, begin so far into a film."""
    return f"{PLAYERS[player]}={seconds:.3f}"
