"""Writes the exports of a results folder: one journal in, files for people and programs out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from cinecut.errors import OutputError, UsageError
from cinecut.results.exports.captions import to_srt, to_vtt
from cinecut.results.exports.markdown import to_markdown
from cinecut.results.exports.tables import to_csv, to_json
from cinecut.results.page.index_page import STORYBOARD_NAME, film_of, to_index
from cinecut.results.page.storyboard import to_storyboard
from cinecut.results.scenes import JOURNAL_NAME, Results, read_results

_RENDERERS: Final[dict[str, tuple[str, Callable[[Results], str]]]] = {
    "json": ("scenes.json", to_json),
    "csv": ("scenes.csv", to_csv),
    "srt": ("scenes.srt", to_srt),
    "vtt": ("scenes.vtt", to_vtt),
    "md": ("scenes.md", to_markdown),
    "html": (STORYBOARD_NAME, to_storyboard),
}

FORMATS: Final = ("jsonl", *_RENDERERS)
"""Names of the formats; `jsonl` is the journal itself, which is always there."""


def export(folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write each of `formats` beside the journal in `folder` and return the files' paths.

    Raises:
        UsageError: A format is none of `FORMATS`; nothing was written.
        OutputError: The journal cannot be read, or a file not be written; files already there
            stay as they were.
    """
    wanted = list(dict.fromkeys(formats))
    for name in wanted:
        if name not in FORMATS:
            raise UsageError(
                f"'{name}' is no export format.", tip=f"The formats are {', '.join(FORMATS)}."
            )
    results = read_results(folder)
    paths = []
    for name in wanted:
        if name == "jsonl":
            paths.append(folder / JOURNAL_NAME)
            continue
        file_name, render = _RENDERERS[name]
        paths.append(_write(folder / file_name, render(results)))
    return paths


def export_missing(folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write those of `formats` that are not there or older than the journal; return their paths.

    Raises:
        UsageError, OutputError: As `export` does.
    """
    journal = folder / JOURNAL_NAME
    missing = [name for name in formats if name in _RENDERERS and _is_older(folder, name, journal)]
    return export(folder, missing) if missing else []


def write_index(folders: Sequence[Path], path: Path) -> Path:
    """Write to `path` a page that leads to the storyboards in `folders`, and return `path`.

    Raises:
        OutputError: A journal cannot be read, or the page not be written.
    """
    here = path.absolute().parent
    films = [film_of(folder.absolute(), read_results(folder), seen_from=here) for folder in folders]
    return _write(path, to_index(films))


def _is_older(folder: Path, name: str, journal: Path) -> bool:
    try:
        return (folder / _RENDERERS[name][0]).stat().st_mtime_ns < journal.stat().st_mtime_ns
    except OSError:  # it is not there; what is wrong with the journal is told by its reader
        return True


def _write(path: Path, text: str) -> Path:
    """Write `text` aside and rename it, so that `path` is whole or as it was before.

    A lone surrogate, from a file name that is no UTF-8, becomes the escape that JSON spells it by.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            aside.write_bytes(text.encode("utf-8", errors="backslashreplace"))
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
    return path
