"""All films that were described, to be searched: keeps the index up to date and joins both ways."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from cinecut.errors import UsageError
from cinecut.inference.models import ALL_FIELDS, ON_SCREEN
from cinecut.models import DialogueLine
from cinecut.search.hits import Hit
from cinecut.search.index import PLACES_OF_A_FILM, Index
from cinecut.search.meaning import find_by_meaning
from cinecut.search.nearness import nearest_first
from cinecut.search.places import checked_place
from cinecut.search.query import TEXTS, Query, parse_query
from cinecut.search.signs import Signs
from cinecut.search.spelling import corrected
from cinecut.search.update import refresh
from cinecut.search.words import find_all_words, find_by_words, fulfilling, marks_in
from cinecut.search.workers import MOST_PROCESSES

if TYPE_CHECKING:
    from typing_extensions import Self

Work = Callable[[sqlite3.Connection], list[Hit]]

_DEPTH: Final = 100
"""So many hits of each way are joined; further down none decides anything."""
_SOME_WORDS_WEIGH: Final = 0.004
"""So much weigh ranks by some of the words; those by all of them, and by nearness, 1.

Below 1 / 61 they decide only where nearness says nothing, as of words that no vector is known for:
more puts a scene with one word of a paraphrase before the right one.
"""
_STANDING: Final = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""


class Library:
    """The films described in some places; a context manager.

    The index is brought up to date when the library is entered, and by `refresh`:

        with Library(Path("films")) as library:
            for hit in library.search("red car at night", limit=5):
                print(hit.film, hit.timestamp_s, hit.description)
    """

    def __init__(self, *places: Path, index: Path | None = None, processes: int | None = 1) -> None:
        """Take where to look.

        Args:
            places: Results folders, films beside their results, or folders with such in them,
                however deep; none means the current folder.
            index: The index's file; None is the one in the user's cache folder. Nothing is
                written elsewhere.
            processes: How many may read journals where much is new; None is one for each core, 4
                at the most. With more than one the main module must be one that can be imported, as
                `multiprocessing` asks.

        Raises:
            UsageError: A place is not there.
        """
        self.places = [checked_place(place) for place in places or (Path(),)]
        self._index = Index(index)
        self._processes = processes or min(os.cpu_count() or 1, MOST_PROCESSES)
        self._signs = Signs()
        self._films: set[bytes] = set()

    def __enter__(self) -> Self:
        """Bring the index up to date, and return the library.

        Raises:
            SearchIndexError: The index cannot be written or read.
        """
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the index."""
        self.close()

    def close(self) -> None:
        """Close the index; doing so twice does no harm."""
        self._index.close()

    @property
    def films(self) -> int:
        """How many films there were when the index was brought up to date."""
        return len(self._films)

    def refresh(self) -> None:
        """Learn of results that are new, have changed, were moved or deleted.

        Raises:
            SearchIndexError: The index cannot be written or read.
        """
        self._films = self._index.use(self._refreshed)

    def search(
        self,
        query: str,
        limit: int = 10,
        *,
        film: str | None = None,
        mood: str | None = None,
        source: str | None = None,
    ) -> list[Hit]:
        """Return the scenes and chapters that fit `query`, the best first.

        Args:
            query: Words, `"phrases"`, `prefix*`, and `field:word` with a field out of visual,
                mood, action, setting, text (on the screen), dialogue, chapter and film. Phrases
                and what is asked of a field every hit has; of other words as many as possible.
            limit: The most hits to return, 1 or more.
            film: Only films with this in their name, in upper or lower case.
            mood: Only scenes with these words in their mood.
            source: Only frames chosen for this: one of `KEYFRAME_SOURCES`.

        Raises:
            UsageError: The query has no word, or `limit` is below 1.
            SearchIndexError: The index cannot be written or read.
        """
        if limit < 1:
            raise UsageError(f"A limit of {limit}: 1 hit or more.")
        parsed = parse_query(query, mood=mood, source=source)

        def find(connection: sqlite3.Connection) -> list[Hit]:
            films = self._films_called(connection, film or "")
            meant = corrected(connection, parsed)
            ways = self._ways(connection, meant, films, max(limit, _DEPTH))
            joined = join_ranks(ways)[:limit]
            return [self._hit(connection, meant, row, score) for row, score in joined]

        return self._index.use(self._filled_again(in_one_state(find)))

    def _refreshed(self, connection: sqlite3.Connection) -> set[bytes]:
        return refresh(connection, self.places, self._processes)

    def _filled_again(self, find: Work) -> Work:
        """Return `find`, which where it is called again fills the index first: it is a new one."""
        calls = 0

        def again(connection: sqlite3.Connection) -> list[Hit]:
            nonlocal calls
            calls += 1
            if calls > 1:
                self._films = self._refreshed(connection)
            return find(connection)

        return again

    def _ways(
        self, connection: sqlite3.Connection, query: Query, films: list[int], depth: int
    ) -> list[tuple[float, list[int]]]:
        """Return rankings of what words and meaning find, and what the ranks weigh."""
        only = fulfilling(connection, query.condition) if query.condition else None
        every = find_all_words(connection, query, films, depth)
        some = find_by_words(connection, query, films, depth)
        meant = find_by_meaning(connection, self._signs, query.text, films, only, depth)
        found = list(dict.fromkeys((*every, *some, *meant)))
        near = nearest_first(connection, query.text, found)
        return [(1.0, every), (_SOME_WORDS_WEIGH, some), (1.0, near)]

    def _films_called(self, connection: sqlite3.Connection, name: str) -> list[int]:
        return [
            number
            for number, known, folder in connection.execute("SELECT id, name, folder FROM films")
            if folder in self._films and name.casefold() in known.casefold()
        ]

    def _hit(self, connection: sqlite3.Connection, query: Query, row: int, score: float) -> Hit:
        name, folder, *told, dialogue, chapter, source, timestamp_s, picture, spans = (
            connection.execute(
                f"SELECT films.name, films.folder, {', '.join(TEXTS)}, source, "
                "timestamp_s, picture, spans FROM scenes JOIN films "
                f"ON films.id = scenes.rowid >> {PLACES_OF_A_FILM} WHERE scenes.rowid = ?",
                (row,),
            ).fetchone()
        )
        home = Path(os.fsdecode(folder))
        return Hit(
            film=name,
            folder=home,
            timestamp_s=timestamp_s,
            source=source,
            score=score,
            frame_path=_own_picture(home, picture),
            description=_described(told),
            chapter=chapter or None,
            dialogue=tuple(_lines(dialogue, json.loads(spans))),
            marks=marks_in(connection, query, row),
        )


def in_one_state(find: Work) -> Work:
    """Return `find`, which sees one state of the index throughout, whoever writes meanwhile."""

    def unchanged(connection: sqlite3.Connection) -> list[Hit]:
        connection.execute("BEGIN")
        try:
            return find(connection)
        finally:
            connection.execute("ROLLBACK")

    return unchanged


def join_ranks(ways: Sequence[tuple[float, Sequence[int]]]) -> list[tuple[int, float]]:
    """Return what several rankings found, the best first, by the sum of reciprocal ranks.

    Each ranking comes with what it weighs.
    """
    scores: dict[int, float] = {}
    for weight, way in ways:
        for rank, row in enumerate(way, 1):
            scores[row] = scores.get(row, 0.0) + weight / (_STANDING + rank)
    return sorted(scores.items(), key=lambda item: -item[1])


def _described(told: Sequence[str]) -> dict[str, str] | None:
    """Return a description by field; the index does not know if a text that is empty was asked."""
    known = dict(zip(ALL_FIELDS, told, strict=True))
    if not any(told):
        return None
    return {name: text for name, text in known.items() if text or name != ON_SCREEN}


def _lines(dialogue: str, spans: list[tuple[float, float, int]]) -> list[DialogueLine]:
    lines, at = [], 0
    for start_s, end_s, length in spans:
        lines.append(DialogueLine(start_s, end_s, dialogue[at : at + length]))
        at += length + 1
    return lines


def _own_picture(folder: Path, picture: str | None) -> Path | None:
    """Return the picture, unless it is gone or by a link somebody else's."""
    if picture is None:
        return None
    path = folder / picture
    is_own = path.is_file() and not (path.is_symlink() or path.parent.is_symlink())
    return path if is_own else None
