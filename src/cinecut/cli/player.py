"""Which player plays a film from a moment on, and by which command."""

from __future__ import annotations

import shutil
import sys
from typing import Final

from cinecut.errors import FilmError
from cinecut.search import Hit

_OPENERS: Final = {"darwin": "open", "win32": "explorer"}
"""What opens a file with the user's own program; elsewhere xdg-open. It knows no moment."""


def player_command(hit: Hit) -> list[str]:
    """Return the command that plays the hit's film from its second on.

    Without mpv and vlc it is the system's way to open the film, from its start.

    Raises:
        FilmError: The film does not lie beside its results any more.
    """
    film = hit.film_path
    if film is None:
        raise FilmError(
            hit.film,
            "It does not lie beside its results.",
            check="Where the film is: its results folder has its name, with .cinecut at the end.",
            tip="Move the results folder to it.",
        )
    if shutil.which("mpv"):
        return ["mpv", f"--start={hit.timestamp_s:.3f}", str(film)]
    if shutil.which("vlc"):
        return ["vlc", f"--start-time={hit.timestamp_s:.3f}", str(film)]
    return [_OPENERS.get(sys.platform, "xdg-open"), str(film)]
