"""The index: one SQLite file, derived from the journals, thrown away and built anew at will."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock
from platformdirs import user_cache_path

from cinecut.errors import SearchIndexError
from cinecut.files import open_file, refuse_special
from cinecut.search.query import TEXTS

PLACES_OF_A_FILM: Final = 32
"""A scene's row is its film's number, so many bits to the left, and its place in the film."""

TOKENIZER: Final = "porter unicode61 remove_diacritics 2"

_VERSION: Final = 3
_OURS: Final = 0x43434C55
_MAGIC: Final = b"SQLite format 3\0"
_BUSY_S: Final = 30.0
_CACHE_KIB: Final = 64 << 10
"""Scenes here and there are read a page each: of SQLite's own 2 MiB half the time is reading."""
_TABLES: Final = (
    "CREATE TABLE films (id INTEGER PRIMARY KEY, folder BLOB UNIQUE, size INTEGER, "
    "changed_ns INTEGER, digest BLOB, name TEXT, scenes INTEGER, signs BLOB)",
    f"CREATE VIRTUAL TABLE scenes USING fts5({', '.join(TEXTS)}, film, source, "
    "timestamp_s UNINDEXED, picture UNINDEXED, spans UNINDEXED, "
    f"tokenize = '{TOKENIZER}')",
    "CREATE TABLE vectors (id INTEGER PRIMARY KEY, vector BLOB)",
    "CREATE TABLE words (word TEXT PRIMARY KEY, said INTEGER) WITHOUT ROWID",
)
_NOT_DAMAGED: Final = ("locked", "busy", "full", "readonly", "unable to open", "disk i/o")

_T = TypeVar("_T")


class Index:
    """The open index; a context manager. Several processes may have it open, and write to it."""

    def __init__(self, path: Path | None = None) -> None:
        """Take the index's file; None is the one in the user's cache folder."""
        self._is_own_place = path is None
        self.path = path or user_cache_path("cinecut", appauthor=False) / "search.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def __enter__(self) -> Index:
        """Return the index; it is opened by the first `use`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; doing so twice does no harm."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def use(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `work` makes of the open index; one that turns out damaged is built anew.

        `work` may be called twice: what it does to the index must be the same done again.

        Raises:
            SearchIndexError: The index cannot be written or read, or is a file of somebody else.
        """
        try:
            try:
                return work(self._open())
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._replace()
                return work(self._open())
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SearchIndexError(self.path, f"The system says: {reason}.") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._is_own_place:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            refuse_special(self.path, follow_links=True)
            self._refuse_files_of_others()
            self._connection = _connect(self.path)
            status = self.path.stat()
            self._identity = status.st_dev, status.st_ino
        return self._connection

    def _refuse_files_of_others(self) -> None:
        """A damaged index is thrown away: what the user named must be one."""
        if self._is_own_place:
            return
        with suppress(FileNotFoundError), open_file(self.path) as file:
            head = file.read(72)
            is_ours = head.startswith(_MAGIC) and head[68:] == _OURS.to_bytes(4, "big")
            if head and not is_ours:
                raise SearchIndexError(
                    self.path,
                    "It is no index of CineCut's.",
                    check="What --index names.",
                    tip="Name a file that is not there yet, or leave --index out.",
                )

    def _replace(self) -> None:
        self.close()
        with FileLock(f"{self.path}.lock", timeout=_BUSY_S):
            try:
                status = self.path.stat()
            except FileNotFoundError:
                return
            if self._identity in (None, (status.st_dev, status.st_ino)):
                # In this order: a log that outlives its file would be taken for the next one's.
                for suffix in ("-wal", "-shm", ""):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        [[pages]] = connection.execute("PRAGMA page_count")
        if not pages:  # into the file itself: what only its log says is gone with a killed process
            connection.execute(f"PRAGMA application_id = {_OURS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == 0:  # else somebody else was quicker
                _make_tables(connection)
            connection.execute("COMMIT")
        _refuse_other_versions(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    [[version]] = connection.execute("PRAGMA user_version")
    return int(version)


def _refuse_other_versions(connection: sqlite3.Connection) -> None:
    """An index that another version has made counts as damaged, and is built anew."""
    if _version(connection) != _VERSION:
        raise sqlite3.DatabaseError("It is another version's.")


def _make_tables(connection: sqlite3.Connection) -> None:
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA application_id = {_OURS}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether the index itself is at fault, and neither the disk nor who else uses it."""
    return not any(reason in str(error).lower() for reason in _NOT_DAMAGED)
