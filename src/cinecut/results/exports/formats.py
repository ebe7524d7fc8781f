"""Writes the exports of a results folder: one journal in, files for people and programs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG
from typing import Final

from cinecut.errors import OutputError, UsageError
from cinecut.files import refuse_other, remove_leftovers, replacing
from cinecut.results.exports.captions import to_srt, to_vtt
from cinecut.results.exports.chapter_marks import (
    to_chapters_vtt,
    to_ffmetadata,
    to_matroska_xml,
)
from cinecut.results.exports.markdown import to_markdown
from cinecut.results.exports.tables import to_csv, to_json
from cinecut.results.page.index_page import POSTER_AT, STORYBOARD_NAME, Film, film_of, to_index
from cinecut.results.page.storyboard import to_storyboard
from cinecut.results.page.texts import packed, scene_texts
from cinecut.results.pictures import with_own_pictures
from cinecut.results.scenes import (
    JOURNAL_NAME,
    Results,
    Run,
    passed_over,
    read_first_line,
    read_results,
    read_scene_at,
)

_RENDERERS: Final[dict[str, tuple[str, Callable[[Results], str]]]] = {
    "json": ("scenes.json", to_json),
    "csv": ("scenes.csv", to_csv),
    "srt": ("scenes.srt", to_srt),
    "vtt": ("scenes.vtt", to_vtt),
    "md": ("scenes.md", to_markdown),
    "html": (STORYBOARD_NAME, to_storyboard),
    "chapters": ("chapters.vtt", to_chapters_vtt),
    "ffmetadata": ("chapters.ffmetadata", to_ffmetadata),
    "mkvchapters": ("chapters.xml", to_matroska_xml),
}

FORMATS: Final = ("jsonl", *_RENDERERS)
"""Names of the formats; `jsonl` is the journal itself, which is always there."""

MOST_SEARCHED_CHARS: Final = 48_000_000
"""What the scenes of all films on an index page say, so that it opens and is searched soon."""


def export(
    folder: Path, formats: Iterable[str], on_notice: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write each of `formats` beside the journal in `folder` and return the files' paths.

    Args:
        folder: The results folder; it may come from somebody else.
        formats: Names out of `FORMATS`.
        on_notice: Takes a sentence that the user should read.

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
    if not wanted:
        return []
    results = _read(folder)
    if results.unreadable_lines:
        on_notice(f"{folder.absolute().name}: {passed_over(results.unreadable_lines)}")
    remove_leftovers(folder)
    paths = []
    for name in wanted:
        if name == "jsonl":
            paths.append(folder / JOURNAL_NAME)
            continue
        file_name, render = _RENDERERS[name]
        paths.append(_write(folder / file_name, render(results)))
    return paths


def export_missing(
    folder: Path, formats: Iterable[str], on_notice: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write those of `formats` that are not there or older than the journal; return their paths.

    Raises:
        UsageError, OutputError: As `export` does.
    """
    journal = folder / JOURNAL_NAME
    missing = [name for name in formats if name in _RENDERERS and _is_older(folder, name, journal)]
    return export(folder, missing, on_notice)


def write_index(folders: Sequence[Path], path: Path) -> Path:
    """Write to `path` a page that leads to the storyboards in `folders`, and return `path`.

    It searches the scenes of the first films, up to `MOST_SEARCHED_CHARS`, and tells how many.

    Raises:
        OutputError: A journal cannot be read, or the page not be written; a file at `path` that
            is no page, such as a journal, stays.
    """
    here = path.absolute().parent
    page = to_index(list(_films(folders, here)))
    try:
        refuse_other(path, [b"<!doctype html"], "page")
        _replace(path, page)
    except OSError as error:
        raise OutputError(
            path,
            error.strerror or str(error),
            check="What the path names, whether its folder is there, and where a link leads.",
            tip="Have it elsewhere: cinecut export RESULTS... --format html --index films.html",
        ) from error
    return path


def _films(folders: Sequence[Path], seen_from: Path) -> Iterator[Film]:
    """Yield what the index shows of the films, with the texts of those that it searches."""
    left_chars = MOST_SEARCHED_CHARS
    for folder in map(Path.absolute, folders):
        if left_chars <= 0:
            yield _glimpse(folder, seen_from)
            continue
        results = _read(folder)
        texts = scene_texts(results)
        left_chars -= len(texts)
        pack = packed(texts) if left_chars >= 0 else None
        yield film_of(folder, results, seen_from=seen_from, texts=pack)


def _glimpse(folder: Path, seen_from: Path) -> Film:
    """Return what the index shows of a film; of a complete one two lines of the journal tell it.

    To read all lines of a thousand long films takes minutes.
    """
    run, scene = read_first_line(folder), read_scene_at(folder, POSTER_AT)
    if isinstance(run, Run) and run.finished and scene:
        scenes, skipped = run.finished.get("scenes"), run.finished.get("skipped")
        glimpse = with_own_pictures(folder, Results(run, [scene]))
        film = film_of(folder, glimpse, seen_from=seen_from)
        if film.poster_link and isinstance(scenes, int) and isinstance(skipped, int):
            return replace(film, scenes=scenes, skipped=skipped)
    return film_of(folder, _read(folder), seen_from=seen_from)


def _read(folder: Path) -> Results:
    return with_own_pictures(folder, read_results(folder))


def _is_older(folder: Path, name: str, journal: Path) -> bool:
    try:
        made = (folder / _RENDERERS[name][0]).lstat()
        return not S_ISREG(made.st_mode) or made.st_mtime_ns < journal.stat().st_mtime_ns
    except OSError:  # it is not there; what is wrong with the journal is told by its reader
        return True


def _write(path: Path, text: str) -> Path:
    try:
        _replace(path, text)
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
    return path


def _replace(path: Path, text: str) -> None:
    """Write `text` aside and rename it, so that `path` is whole or as it was before.

    A lone surrogate, from a file name that is no UTF-8, becomes the escape that JSON spells it by.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))
