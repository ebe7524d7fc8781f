"""Writes the exports of a results folder: one journal in, files for people and programs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import Final

from cinecut.errors import OutputError, UsageError
from cinecut.files import read_file, refuse_other, remove_leftovers, replacing
from cinecut.results.exports.audio_description import (
    WORDS_PER_MINUTE,
    to_descriptions,
    what_is_missing,
)
from cinecut.results.exports.captions import caption_ends_s, to_srt, to_vtt
from cinecut.results.exports.chapter_marks import (
    to_chapters_vtt,
    to_ffmetadata,
    to_matroska_xml,
)
from cinecut.results.exports.markdown import to_markdown
from cinecut.results.exports.nfo import to_nfo
from cinecut.results.exports.tables import to_csv, to_json
from cinecut.results.page.index_page import STORYBOARD_NAME, Film, film_of, to_index
from cinecut.results.page.storyboard import to_storyboard
from cinecut.results.page.texts import packed, scene_texts
from cinecut.results.pictures import POSTER_AT, poster_of, with_own_pictures
from cinecut.results.scenes import (
    JOURNAL_NAME,
    RESULTS_SUFFIX,
    Results,
    Run,
    passed_over,
    read_first_line,
    read_results,
    read_scene_at,
)
from cinecut.results.summary import summary_of

_Renderer = tuple[str, Callable[[Results], str | None]]
"""What its file is called, {film} for the film, and what makes it: None for nothing to tell."""


def _to_storyboard(results: Results) -> str:
    return to_storyboard(results, caption_ends_s(results))


_RENDERERS: Final[dict[str, _Renderer]] = {
    "json": ("scenes.json", to_json),
    "csv": ("scenes.csv", to_csv),
    "srt": ("scenes.srt", to_srt),
    "vtt": ("scenes.vtt", to_vtt),
    "md": ("scenes.md", to_markdown),
    "html": (STORYBOARD_NAME, _to_storyboard),
    "ad": ("descriptions.vtt", to_descriptions),
}

_OF_SUMMARIES: Final[dict[str, _Renderer]] = {
    "chapters": ("chapters.vtt", to_chapters_vtt),
    "ffmetadata": ("chapters.ffmetadata", to_ffmetadata),
    "mkvchapters": ("chapters.xml", to_matroska_xml),
    "nfo": ("{film}.nfo", to_nfo),
}

_ALL: Final[dict[str, _Renderer]] = {**_RENDERERS, **_OF_SUMMARIES}

FORMATS: Final = ("jsonl", *_ALL)
"""Names of the formats; `jsonl` is the journal itself, which is always there."""
EVERY_FORMAT: Final = "all"
"""Stands for each format of which there is something to tell."""

_LARGEST_POSTER_BYTES: Final = 64 << 20

MOST_SEARCHED_CHARS: Final = 48_000_000
"""What the scenes of all films on an index page say, so that it opens and is searched soon."""


def chosen(formats: Iterable[str]) -> list[str]:
    """Return which of `FORMATS` are meant, each once.

    Raises:
        UsageError: A name is none of `FORMATS`, and not `EVERY_FORMAT`.
    """
    names = dict.fromkeys(formats)
    for name in names:
        if name not in (*FORMATS, EVERY_FORMAT):
            raise UsageError(
                f"'{name}' is no export format.", tip=f"The formats are {', '.join(FORMATS)}."
            )
    return [*(FORMATS if EVERY_FORMAT in names else names)]


def export(
    folder: Path,
    formats: Iterable[str],
    on_notice: Callable[[str], None] = lambda _: None,
    words_per_minute: float = WORDS_PER_MINUTE,
) -> list[Path]:
    """Write each of `formats` beside the journal in `folder` and return the files' paths.

    Of a film without a summary no file that tells of one is written, and an older one goes.

    Args:
        folder: The results folder; it may come from somebody else.
        formats: Names out of `FORMATS`, or `EVERY_FORMAT`.
        on_notice: Takes a sentence that the user should read.
        words_per_minute: How fast the audio description is read, above 0.

    Raises:
        UsageError: A format is none of `FORMATS`; nothing was written.
        OutputError: The journal cannot be read, or a file not be written; files already there
            stay as they were.
    """
    named = [*formats]
    return _export(folder, chosen(named), named, on_notice, words_per_minute)


def export_missing(
    folder: Path, formats: Iterable[str], on_notice: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write those of `formats` that are not there or older than the journal; return their paths.

    Raises:
        UsageError, OutputError: As `export` does.
    """
    named = [*formats]
    journal = folder / JOURNAL_NAME
    missing = [name for name in chosen(named) if name in _ALL and _is_older(folder, name, journal)]
    if missing and not _has_summary(folder):
        missing = [name for name in missing if name in named or name not in _OF_SUMMARIES]
    return _export(folder, missing, named, on_notice)


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
        _replace(path, _encoded(page))
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


def _export(
    folder: Path,
    wanted: Sequence[str],
    named: Sequence[str],
    on_notice: Callable[[str], None],
    words_per_minute: float = WORDS_PER_MINUTE,
) -> list[Path]:
    """Write the formats `wanted`, and say of those that are `named` what is not in them."""
    if not wanted:
        return []
    results = _read(folder)
    if results.unreadable_lines:
        on_notice(f"{folder.absolute().name}: {passed_over(results.unreadable_lines)}")
    remove_leftovers(folder)
    paths, empty = [], []
    for name in wanted:
        if name == "jsonl":
            paths.append(folder / JOURNAL_NAME)
            continue
        path = _path(folder, name)
        render = _ALL[name][1]
        if name == "ad":
            render = partial(to_descriptions, words_per_minute=words_per_minute)
            if name in named and (missing := what_is_missing(results, words_per_minute)):
                on_notice(f"{folder.absolute().name}: {missing}")
        text = render(results)
        if text is not None:
            paths.append(_write(path, _encoded(text)))
            paths += _poster(path, folder, results) if name == "nfo" else []
            continue
        with suppress(OSError):
            path.unlink()  # it told of another run
        empty += [path.name] if name in named else []
    if empty:
        on_notice(
            f"There is no {' and no '.join(empty)} without a summary. Have it told: "
            f"cinecut summarize {folder}"
        )
    return paths


def _path(folder: Path, name: str) -> Path:
    return folder / _ALL[name][0].replace("{film}", _film(folder))


def _film(folder: Path) -> str:
    """Return the film's name without its ending; a journal of somebody else may name any path."""
    return Path(folder.absolute().name.removesuffix(RESULTS_SUFFIX)).stem or "movie"


def _poster(beside: Path, folder: Path, results: Results) -> list[Path]:
    """Write the picture that stands for the film, of what comes back in it where that is known."""
    summary = summary_of(results)
    scenes = summary.elements[0].scenes if summary and summary.elements else ()
    picture = poster_of(folder, results, scenes)
    if picture is None:
        return []
    path = beside.with_name(f"{beside.stem}-poster.jpg")
    try:
        content = read_file(picture, _LARGEST_POSTER_BYTES, follow_links=False)
    except OSError as error:
        raise OutputError(picture, error.strerror or str(error)) from error
    return [_write(path, content)]


def _has_summary(folder: Path) -> bool:
    """Say whether line 1 of the journal tells of one; the whole of it takes long to read."""
    run = read_first_line(folder)
    told = run.finished.get("summary") if isinstance(run, Run) and run.finished else None
    return isinstance(told, dict) and bool(told.get("chapters"))


def _is_older(folder: Path, name: str, journal: Path) -> bool:
    try:
        made = _path(folder, name).lstat()
        return not S_ISREG(made.st_mode) or made.st_mtime_ns < journal.stat().st_mtime_ns
    except OSError:  # it is not there; what is wrong with the journal is told by its reader
        return True


def _encoded(text: str) -> bytes:
    """Return `text` as UTF-8; a lone surrogate, of a file name that is none, as JSON spells it."""
    return text.encode("utf-8", errors="backslashreplace")


def _write(path: Path, content: bytes) -> Path:
    try:
        _replace(path, content)
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
    return path


def _replace(path: Path, content: bytes) -> None:
    """Write aside and rename, so that `path` is whole or as it was before."""
    with replacing(path) as file:
        file.write(content)
