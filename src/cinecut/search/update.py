"""Brings the index up to date with the journals, in one pass over them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from cinecut.files import open_file
from cinecut.results.scenes import JOURNAL_NAME
from cinecut.search.entry import FilmEntry
from cinecut.search.index import PLACES_OF_A_FILM
from cinecut.search.places import Found, find_journals, is_below, look_at
from cinecut.search.query import TEXTS
from cinecut.search.workers import entries_of

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


def refresh(
    connection: sqlite3.Connection, places: Sequence[Path], processes: int = 1
) -> set[bytes]:
    """Learn of new, changed, moved and deleted journals in `places`; return their films' folders.

    A journal that cannot be read counts as deleted. What lies elsewhere is left as it is. Where
    much is new, so many `processes` read it.
    """
    known = _known_films(connection)
    current: list[bytes] = []
    unknown: list[tuple[Found, bytes]] = []
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
            current.append(key)
        else:
            unknown.append((found, digest))
    waiting: list[FilmEntry] = []
    for film in entries_of(unknown, processes):
        waiting.append(film)
        if sum(len(film.rows) for film in waiting) >= _SCENES_AT_ONCE:
            _write(connection, waiting)
        current.append(os.fsencode(film.found.folder))
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


def _write(connection: sqlite3.Connection, films: list[FilmEntry]) -> None:
    """Write `films` and forget them; what stood in their place is gone."""
    if not films:
        return
    with _transaction(connection):
        for film in films:
            _insert(connection, film)
    films.clear()


def _insert(connection: sqlite3.Connection, film: FilmEntry) -> None:
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
