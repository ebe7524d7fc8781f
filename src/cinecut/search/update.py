"""Brings the index up to date with the journals, in one pass over them."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from cinecut.errors import OutputError
from cinecut.files import open_file
from cinecut.inference.models import ALL_FIELDS
from cinecut.results.presentation import film_name, picture
from cinecut.results.scenes import JOURNAL_NAME, Results, Scene, read_results
from cinecut.results.summary import summary_of
from cinecut.search.embedding import embed
from cinecut.search.index import PLACES_OF_A_FILM
from cinecut.search.meaning import to_bytes
from cinecut.search.places import Found, find_journals, is_below, look_at
from cinecut.search.query import TEXTS
from cinecut.search.signs import signs
from cinecut.search.spelling import words_in
from cinecut.text import printable

_SCENES_AT_ONCE: Final = 20_000
_COLUMNS: Final = (*TEXTS, *("film", "source", "timestamp_s", "picture", "spans"))
_INSERT: Final = (
    f"INSERT INTO scenes(rowid, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})"
)
_COUNT_WORD: Final = (
    "INSERT INTO words(word, said) VALUES (?, ?) "
    "ON CONFLICT DO UPDATE SET said = said + excluded.said"
)


class _Known(NamedTuple):
    id: int
    size: int
    changed_ns: int
    digest: bytes

    def is_of(self, found: Found) -> bool:
        return (self.size, self.changed_ns) == (found.size, found.changed_ns)


@dataclass(frozen=True)
class _Film:
    """A film as it is about to stand in the index."""

    found: Found
    digest: bytes
    name: str
    rows: list[tuple[Any, ...]]
    words: Counter[str]
    """How often each word is said."""
    vectors: list[bytes]
    signs: bytes


def refresh(connection: sqlite3.Connection, places: Sequence[Path]) -> set[bytes]:
    """Learn of new, changed, moved and deleted journals in `places`; return their films' folders.

    A journal that cannot be read counts as deleted. What lies elsewhere is left as it is.
    """
    known = _known_films(connection)
    current: list[bytes] = []
    waiting: list[_Film] = []
    for found in find_journals(places):
        key = os.fsencode(found.folder)
        before = known.get(key)
        if before and before.is_of(found):
            current.append(key)
            continue
        digest = _digest(found.folder)
        if digest is None:
            continue
        same = before if before and before.digest == digest else _moved(known, digest)
        if same:
            with _transaction(connection):
                _rename(connection, same.id, found)
        elif (film := _film(found, digest)) is None:
            continue
        else:
            waiting.append(film)
            if sum(len(film.rows) for film in waiting) >= _SCENES_AT_ONCE:
                _write(connection, waiting)
        current.append(key)
    _write(connection, waiting)
    gone = [key for key in known.keys() - set(current) if is_below(_path(key), places)]
    if gone:
        with _transaction(connection):
            for key in gone:
                _delete(connection, key)
    return set(current)


def _known_films(connection: sqlite3.Connection) -> dict[bytes, _Known]:
    rows = connection.execute("SELECT folder, id, size, changed_ns, digest FROM films")
    return {folder: _Known(*facts) for folder, *facts in rows}


def _moved(known: dict[bytes, _Known], digest: bytes) -> _Known | None:
    """Return the film of this digest whose journal is no longer where it was."""
    for key, film in known.items():
        if film.digest == digest and look_at(_path(key)) is None:
            del known[key]
            return film
    return None


def _path(key: bytes) -> Path:
    return Path(os.fsdecode(key))


def _digest(folder: Path) -> bytes | None:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open_file(folder / JOURNAL_NAME, follow_links=False) as journal:
            while block := journal.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.digest()


def _film(found: Found, digest: bytes) -> _Film | None:
    try:
        results = read_results(found.folder)
    except OutputError:
        return None
    rows, texts = [], []
    for row, text in _rows(results):
        rows.append(row)
        texts.append(text)
    words = Counter(words_in("\n".join(texts)))
    vectors = embed(texts)
    name = film_name(results.run)
    return _Film(found, digest, name, rows, words, to_bytes(vectors), signs(vectors))


def _rows(results: Results) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield what is kept of each scene and chapter that says something, and all its text."""
    name = film_name(results.run)
    scenes = {scene.index: scene for scene in results.scenes}
    summary = summary_of(results)
    for chapter in summary.chapters if summary else ():
        text = _safe(" ".join([f"{chapter.title}.", *(each.text for each in chapter.text)]))
        texts = [*("" for _ in ALL_FIELDS), "", text]
        yield (*texts, name, *_frame(scenes[chapter.scenes[0]]), "[]"), text
    for scene in results.scenes:
        lines = _lines(scene)
        if not scene.description and not lines:
            continue
        told = [
            _safe(getattr(scene.description, field) or "") if scene.description else ""
            for field in ALL_FIELDS
        ]
        dialogue = " ".join(text for _, _, text in lines)
        spans = json.dumps([(start_s, end_s, len(text)) for start_s, end_s, text in lines])
        yield (
            (*told, dialogue, "", name, *_frame(scene), spans),
            " ".join([*told, dialogue]),
        )


def _frame(scene: Scene) -> tuple[str, float, str | None]:
    keyframe = scene.keyframe
    return _safe(keyframe.source), keyframe.timestamp_s, picture(scene)


def _lines(scene: Scene) -> list[tuple[float, float, str]]:
    """Return the lines that are said, safe to show."""
    return [
        (line.start_s, line.end_s, text) for line in scene.dialogue if (text := _safe(line.text))
    ]


def _safe(text: str) -> str:
    return text if text.isprintable() else printable(text)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def _write(connection: sqlite3.Connection, films: list[_Film]) -> None:
    """Write `films` and forget them; what stood in their place is gone."""
    if not films:
        return
    with _transaction(connection):
        for film in films:
            _insert(connection, film)
    films.clear()


def _insert(connection: sqlite3.Connection, film: _Film) -> None:
    found, key = film.found, os.fsencode(film.found.folder)
    _delete(connection, key)
    number = connection.execute(
        "INSERT INTO films(folder, size, changed_ns, digest, name, scenes, signs) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key, found.size, found.changed_ns, film.digest, film.name, len(film.rows), film.signs),
    ).lastrowid
    assert number is not None
    first = number << PLACES_OF_A_FILM
    connection.executemany(_INSERT, ((first + at, *row) for at, row in enumerate(film.rows)))
    connection.executemany(
        "INSERT INTO vectors(id, vector) VALUES (?, ?)", enumerate(film.vectors, first)
    )
    connection.executemany(_COUNT_WORD, sorted(film.words.items()))


def _rename(connection: sqlite3.Connection, number: int, found: Found) -> None:
    key = os.fsencode(found.folder)
    if connection.execute("SELECT id FROM films WHERE folder = ?", (key,)).fetchone() != (number,):
        _delete(connection, key)  # another film's results were there
    connection.execute(
        "UPDATE films SET folder = ?, size = ?, changed_ns = ? WHERE id = ?",
        (key, found.size, found.changed_ns, number),
    )


def _delete(connection: sqlite3.Connection, key: bytes) -> None:
    for (number,) in connection.execute("SELECT id FROM films WHERE folder = ?", (key,)).fetchall():
        span = number << PLACES_OF_A_FILM, (number + 1 << PLACES_OF_A_FILM) - 1
        connection.execute("DELETE FROM scenes WHERE rowid BETWEEN ? AND ?", span)
        connection.execute("DELETE FROM vectors WHERE id BETWEEN ? AND ?", span)
        connection.execute("DELETE FROM films WHERE id = ?", (number,))
