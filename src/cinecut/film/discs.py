"""Knows the files of discs: a title set of a DVD is one film in several, and its menus are none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_TITLE: Final = re.compile(r"(VTS_\d\d_)(\d)\.VOB", re.IGNORECASE)
_MENU: Final = re.compile(r"VIDEO_TS\.VOB|VTS_\d\d_0\.VOB", re.IGNORECASE)


def parts_of(film: Path) -> list[Path]:
    """Return the files that `film` is in, in order: more than itself for a title set's first."""
    begins = _TITLE.fullmatch(film.name)
    if begins is None or begins[2] != "1":
        return [film]
    try:
        others = list(film.parent.iterdir())
    except OSError:
        return [film]
    found = [(match[2], path) for path in others if (match := _TITLE.fullmatch(path.name))]
    mine = [(n, p) for n, p in found if n > "1" and p.name[:7].upper() == begins[1].upper()]
    return [film, *(path for _, path in sorted(mine))]


def is_no_film_alone(path: Path) -> bool:
    """Whether `path` is a DVD's menu, or goes on with a title set that another file begins."""
    title = _TITLE.fullmatch(path.name)
    if title and title[2] > "1":
        return path.with_name(f"{title[1]}1{path.suffix}").exists()
    return _MENU.fullmatch(path.name) is not None


def remark_on(film: Path) -> str | None:
    """Return what to say of a film on a disc; None for others."""
    count = len(parts_of(film))
    if count > 1:
        return f"It is a title set of a DVD: its {count} files are one film. Menus are left out."
    if [folder.name.upper() for folder in film.absolute().parents[:2]] == ["STREAM", "BDMV"]:
        return (
            "It is one clip of a Blu-ray disc, and stands alone here: "
            "what the disc's playlists make of its clips is not followed."
        )
    return None
