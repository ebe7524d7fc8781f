"""What the user sees of a search: the hits, with the words marked that they were found by."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from cinecut.cli.player import player_command
from cinecut.cli.terminal import Terminal
from cinecut.errors import FilmError
from cinecut.inference.models import ON_SCREEN
from cinecut.results.presentation import field_label, timecode
from cinecut.search import Hit
from cinecut.text import shown

_MARK = "bold yellow"


class SearchView:
    """Shows hits on a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        """Take the terminal to show them on."""
        self._terminal = terminal

    def show_nothing(self, query: str, films: int) -> None:
        """Say that nothing was found, and in how much."""
        if films:
            self._terminal.tell(f"No scene of {films:,} film{'s' * (films != 1)} fits: {query}")
        else:
            self._terminal.tell("No film was described here yet: cinecut describe FILM")

    def show_all(self, hits: Sequence[Hit], play: int | None) -> None:
        """Show the hits; of one that is about to be played that one, for 0 how each is played."""
        for number, hit in enumerate(hits, 1):
            if play in (None, 0, number):
                self._show(number, hit, with_command=play == 0)

    def _show(self, number: int, hit: Hit, *, with_command: bool) -> None:
        command = shlex.join(player_command(hit)) if with_command else None
        entry = hit_to_dict(hit) | ({"command": command} if command else {})
        self._terminal.data(entry, Text(shown(command)) if command else _text(number, hit))

    def play(self, hit: Hit) -> None:
        """Play a hit, until the player ends.

        Raises:
            FilmError: The film is not there, or there is no player.
        """
        command = player_command(hit)
        self._terminal.tell(shlex.join(command))
        try:
            subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        except OSError as error:
            reason = f"{command[0]} could not be started: {error.strerror or error}."
            raise FilmError(hit.film, reason, tip="Install a player, such as mpv.") from error


def hit_to_dict(hit: Hit) -> dict[str, Any]:
    """Return `hit` as an object of JSON."""
    return {
        "film": hit.film,
        "results": str(hit.folder),
        "timestamp_s": hit.timestamp_s,
        "score": round(hit.score, 6),
        "frame_path": None if hit.frame_path is None else str(hit.frame_path),
        "description": None if hit.description is None else dict(hit.description),
        "dialogue": [asdict(line) for line in hit.dialogue],
        "chapter": hit.chapter,
    }


def _text(number: int, hit: Hit) -> Text:
    text = Text()
    text.append(f"{number:>2}  ", style="dim")
    text.append(f"{hit.film}  ", style="bold")
    text.append(timecode(hit.timestamp_s), style="cyan")
    if not hit.marks:
        text.append("  (by its meaning)", style="dim")
    for name, told in _texts(hit):
        label = field_label(name) if name == ON_SCREEN else name
        text.append(f"\n    {label}: ", style="dim")
        at = 0
        for begin, end in hit.marks.get(name, ()):
            text.append(told[at:begin])
            text.append(told[begin:end], style=_MARK)
            at = end
        text.append(told[at:])
    return text


def _texts(hit: Hit) -> Iterator[tuple[str, str]]:
    """Yield what was seen, and of the rest that in which words were found."""
    for at, (name, told) in enumerate(hit.texts.items()):
        if at == 0 or name in hit.marks:
            yield name, told
