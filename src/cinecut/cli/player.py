"""Which program plays a film from a moment on or opens a file, and by which command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from cinecut.excerpts.films import film_of
from cinecut.results.players import PLAYERS, start_option
from cinecut.search import Hit

_OPENERS: Final = {"darwin": "open", "win32": "explorer"}
"""What opens a file with the user's own program; elsewhere xdg-open. It knows no moment."""
_FAILS_WITHIN_S: Final = 3.0
"""An opener that finds no program says so at once."""


def player_command(hit: Hit) -> list[str]:
    """Return the command that plays the hit's film from its second on.

    Without mpv and vlc it is the system's way to open the film, from its start.

    Raises:
        FilmError: The film does not lie beside its results any more.
    """
    film = film_of(hit)
    for player in filter(shutil.which, PLAYERS):
        return [player, start_option(player, hit.timestamp_s), str(film)]
    return opener_command(film)


def opener_command(path: Path) -> list[str]:
    """Return the command that opens a file as the user has it opened, such as in a browser."""
    return [_OPENERS.get(sys.platform, "xdg-open"), str(path)]


def open_file(path: Path) -> bool:
    """Open a file as the user has it opened; say whether that seems to have worked.

    What opens it may stay for as long as the file is looked at, and prints where nobody reads.
    """
    try:
        opener = subprocess.Popen(
            opener_command(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        code = opener.wait(_FAILS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False
    return code == 0 or sys.platform == "win32"  # explorer ends with 1 when all is well
