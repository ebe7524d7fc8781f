"""Looks at what a list of films names, such as a playlist, before FFmpeg opens and waits for it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from cinecut.errors import FilmError
from cinecut.files import SpecialFileError, open_file, refuse_special

_MOST_BYTES: Final = 1 << 20
_MOST_LISTS: Final = 100
_ON_A_LINE: Final = re.compile(r"^\s*(?:file\s+)?(.+?)\s*$", re.MULTILINE)
_IN_A_LINE: Final = re.compile(r"""["'>]([^"'<>]+)["'<]""")  # in quotes or between tags


def check_listed(film: Path) -> None:
    """Make sure that whatever a list names, and the lists in it, is a regular file or missing.

    A film that is no list is not read beyond its first bytes.

    Raises:
        FilmError: Something else is named.
        OSError: `film` cannot be read.
    """
    lists, seen = [film], {film}
    while lists and len(seen) < _MOST_LISTS:
        folder = lists[0].parent
        for name in _names_in(lists.pop(0)):
            path = folder / name
            with suppress(IsADirectoryError, FileNotFoundError, ValueError):
                try:
                    refuse_special(path, follow_links=True)
                except SpecialFileError as error:
                    raise FilmError(film, f"It is a list in which {error.strerror}") from error
                except OSError:  # no name at all
                    continue
                if path not in seen and path.is_file():
                    seen.add(path)
                    lists.append(path)


def _names_in(path: Path) -> set[str]:
    """Return what could be names in a list; nothing for a film, which is no text."""
    try:
        with open_file(path) as file:
            start = file.read(64)
            text = b"" if b"\0" in start else start + file.read(_MOST_BYTES)
    except OSError:
        return set()
    words = text.decode(errors="replace")
    return {
        name.strip("\"'").removeprefix("file:")
        for form in (_ON_A_LINE, _IN_A_LINE)
        for name in form.findall(words)
    }
