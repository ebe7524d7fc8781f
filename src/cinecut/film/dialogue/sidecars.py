"""Finds the subtitle files beside a film, and tells its own from those of other films."""

from __future__ import annotations

import os
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, takewhile
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from cinecut.film.dialogue.languages import is_language, language_code
from cinecut.film.listing import FILM_SUFFIXES

_TEXT: Final = (".srt", ".ass", ".ssa", ".vtt", ".sub", ".smi", ".sami", ".ttml", ".dfxp")
_PICTURES: Final = (".idx", ".sup")
_SELDOM: Final = (".mpl", ".mpl2", ".mks", ".usf", ".scc", ".stl", ".sbv", ".lrc")
_SUFFIXES: Final = (*_TEXT, *_SELDOM, *_PICTURES)
_FOLDERS: Final = ("subs", "sub", "subtitles", "subtitle")
_PARTIAL: Final = frozenset({"forced", "foreign", "signs", "commentary"})
_LABELS: Final = frozenset(
    {
        *("sdh", "cc", "hi", "default", "full", "dialogue", "subs", "subtitles", "utf8"),
        *("brazilian", "european", "canadian", "british", "latin", "american", "castilian"),
        *("simplified", "traditional"),
        *_PARTIAL,
    }
)
# What the names of releases say of the pictures and the sound; the times are the same.
_RELEASE: Final = re.compile(
    r"\d{3,4}[pi]|4k|uhd|hd|web|dl|rip|(web|dvd|bd|br|hd)rip|blu|ray|bluray|hdtv|remux"
    r"|[hx]26[45]|hevc|avc|av1|hdr|hdr10|sdr|10bit|8bit|aac|ac3|eac3|dts|flac|opus"
)


class Beside(NamedTuple):
    """The subtitle files that lie beside a film."""

    usable: list[Path]
    """Those that are the film's own by their names, the best first."""
    others: list[Path]
    """Those that nobody can tell whose they are, and no other film's."""


class _Films:
    """The folded names of a folder's films without suffix: a key of caches, by what it is."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = sorted(set(names))
        self.known = frozenset(self.names)


class _Look(NamedTuple):
    films: _Films
    files: Sequence[str] = ()
    folders: Sequence[str] = ()
    shelves: Sequence[str] = ()
    """The folders of subtitles among them."""


class _Found(NamedTuple):
    path: Path
    home: str
    """The folded name of the folder in the folder of subtitles; "" elsewhere."""
    stem: str
    is_apart: bool
    """Whether it lies in a folder of subtitles."""


def look_beside(film: Path, language: str | None) -> Beside:
    """Return the subtitle files beside `film`, those in `language` first if one is wanted.

    Its own are called as it is, whatever the letter case and Unicode form, with or without a
    language and labels: `movie.srt`, `Movie.pt-BR.forced.ass`, `movie.English (SDH).srt`. They lie
    beside it or in a folder `Subs`; there also as `Subs/movie/2_English.srt`, and without the
    film's name if no other film is near.
    """
    own, usable, others = _fold(film.stem), [], []
    films = _look(film.parent).films
    if film.suffix.lower() not in FILM_SUFFIXES:
        films = _Films([*films.names, own])
    for found in _of(film, own, films):
        tags = _tags(found, own, film, is_alone=films.names == [own])
        if tags is not None and found.path.is_file():
            usable.append((_rank(found, tags, language), found.path))
        else:
            others.append(found.path)
    return Beside([path for _, path in sorted(usable)], sorted(others))


def label(film: Path, sidecar: Path) -> str:
    """Return what to call `sidecar`: its way from the film's folder, with slashes."""
    inside = sidecar.is_relative_to(film.parent)
    return sidecar.relative_to(film.parent).as_posix() if inside else sidecar.name


def languages_of(film: Path, sidecar: Path) -> set[str | None]:
    """Return the languages that the name of `sidecar` tells."""
    rest = _fold(sidecar.stem).removeprefix(_fold(film.stem))
    folder = _fold(sidecar.parent.name) if sidecar.parent != film.parent else ""
    folder = "" if folder == _fold(film.stem) else folder
    return {language_code(tag) for tag in (*_words(folder), *_words(rest)) if is_language(tag)}


def is_picture(sidecar: Path) -> bool:
    """Whether the subtitles in `sidecar` are pictures, as its name and those beside it tell."""
    suffix = sidecar.suffix.lower()
    return suffix in _PICTURES or (suffix == ".sub" and sidecar.with_suffix(".idx").exists())


def _of(film: Path, own: str, films: _Films) -> Iterator[_Found]:
    """Yield what lies beside `film` and is not nearer to another one."""
    folder = film.parent
    yield from _share(folder, own, films, home="", is_apart=False)
    for name in _look(folder).shelves:
        shelf = folder / name
        yield from _share(shelf, own, films, home="", is_apart=True)
        homes = _homes(shelf, _time_of(shelf), films)
        for inner in (*homes.get(own, ()), *homes.get("", ())):
            yield from _share(shelf / inner, own, films, home=_fold(inner), is_apart=True)


def _share(folder: Path, own: str, films: _Films, *, home: str, is_apart: bool) -> Iterator[_Found]:
    for name in _shared_out(folder, _time_of(folder), films, home).get(own, ()):
        yield _Found(folder / name, home, _fold(PurePath(name).stem), is_apart)


@lru_cache(maxsize=64)
def _homes(shelf: Path, mtime_ns: int, films: _Films) -> dict[str, list[str]]:
    """Return whose the folders in a folder of subtitles are: "" for a language's, all films'."""
    homes = dict[str, list[str]]()
    for name in _look_anew(shelf, mtime_ns).folders:
        home = _fold(name)
        is_of_all = home not in films.known and all(map(_is_tag, _words(home)))
        homes.setdefault("" if is_of_all else _owner(home, films), []).append(name)
    return homes


@lru_cache(maxsize=64)
def _shared_out(folder: Path, mtime_ns: int, films: _Films, home: str) -> dict[str, list[str]]:
    """Return whose the subtitle files in `folder` are: every one is some film's."""
    shares = dict[str, list[str]]()
    is_home = home in films.known or (home and not all(map(_is_tag, _words(home))))
    for name in _look_anew(folder, mtime_ns).files:
        owner = _owner(home if is_home else _fold(PurePath(name).stem), films)
        shares.setdefault(owner, []).append(name)
    return shares


def _owner(stem: str, films: _Films) -> str:
    """Return the film whose whole name `stem` begins with, the longest; else the nearest."""
    if named := _named(stem, films):
        return named
    at = bisect_left(films.names, stem)
    near = films.names[max(0, at - 1) : at + 1]
    return max(near, key=lambda film: _common(film, stem), default="")


def _named(stem: str, films: _Films) -> str | None:
    ends = (end for end in range(len(stem), 0, -1) if not stem[end : end + 1].isalnum())
    return next((stem[:end] for end in ends if stem[:end] in films.known), None)


def _common(one: str, other: str) -> int:
    """Return how many letters two names begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _tags(found: _Found, own: str, film: Path, *, is_alone: bool) -> list[str] | None:
    """Return what the name says beside the film's, or None where it may be a stranger's."""
    rest = found.stem.removeprefix(own)
    is_named = found.stem.startswith(own) and not rest[:1].isalnum()
    words = _words(rest if is_named else found.stem)
    if words[:1] == [film.suffix.lower().removeprefix(".")]:  # movie.mkv.srt
        words = words[1:]
    if found.home == own:
        return words
    words_of_home = _words(found.home)
    at_home = words_of_home if all(map(_is_tag, words_of_home)) else []
    if is_named:
        return [*at_home, *words] if _is_clear(words) else None
    if found.is_apart and is_alone and all(_is_tag(w) or w.isdigit() for w in words):
        return [*at_home, *words]
    return None


def _is_clear(words: Sequence[str]) -> bool:
    """Whether no word may tell another film: `movie.en.2` is a film's second, `movie.2` is not."""
    told = False
    for word in words:
        is_tag = _is_tag(word)
        if not is_tag and not _RELEASE.fullmatch(word) and not (told and word.isdigit()):
            return False
        told = told or is_tag
    return True


def _words(text: str) -> list[str]:
    """Return the words of a name; a language with its region is one."""
    words = (word.strip("-") for word in re.split(r"[^\w-]+|_+", text))
    parts = ([word] if _is_tag(word) else word.split("-") for word in words if word)
    return [part for part in chain.from_iterable(parts) if part]


def _is_tag(word: str) -> bool:
    return word in _LABELS or is_language(word)


def _rank(found: _Found, tags: Sequence[str], language: str | None) -> tuple[object, ...]:
    wanted, suffix = language_code(language), found.path.suffix.lower()
    languages = {language_code(tag) for tag in tags if is_language(tag)}
    strange = sum(not (_is_tag(tag) or tag.isdigit()) for tag in tags)
    return (
        suffix in _PICTURES,
        wanted is not None and wanted not in languages,
        bool(_PARTIAL & set(tags)),
        found.is_apart,
        bool(languages),
        strange,
        sum(not tag.isdigit() for tag in tags),
        [int(tag) for tag in tags if tag.isdecimal() and len(tag) < 10],
        _SUFFIXES.index(suffix),
    )


def _fold(name: str) -> str:
    """Return `name` as it is compared: letter case and Unicode form do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _look(folder: Path) -> _Look:
    return _look_anew(folder, _time_of(folder))


def _time_of(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _look_anew(folder: Path, _mtime_ns: int) -> _Look:
    """Look through `folder`.

    A library may have all its films in one folder: one look serves them all, until the folder's
    time tells that a name came or went.
    """
    files, films, folders = list[str](), set[str](), list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name, suffix = entry.name, PurePath(entry.name).suffix.lower()
                if name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(name)
                elif suffix in _SUFFIXES:
                    files.append(name)
                elif suffix in FILM_SUFFIXES:
                    films.add(_fold(PurePath(name).stem))
    except OSError:
        return _Look(_Films())
    shelves = [name for name in folders if _fold(name) in _FOLDERS]
    return _Look(_Films(films), sorted(files), sorted(folders), sorted(shelves))
