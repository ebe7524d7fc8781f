"""The scene that is meant comes first: 140 queries over 400 scenes of 20 invented films.

`python tests/search/test_quality.py` prints the table that stands in the README.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from shelf import write_film

from cinecut.search import Library

WAYS = ("words", "meaning", "both")
FILMS = Path(__file__).with_name("films.txt")


class Wanted(NamedTuple):
    kind: str
    query: str
    film: str
    timestamp_s: float


def write_shelf(shelf: Path) -> list[Wanted]:
    """Write the journals of the films in FILMS, and return the queries there."""
    films: dict[str, list[str]] = {}
    queries = []
    for line in FILMS.read_text("utf-8").splitlines():
        if line.startswith("= "):
            name = line.removeprefix("= ")
            films[name] = []
        elif match := re.fullmatch(r"\? (\w+): (.*) = (\d+)", line):
            queries.append(Wanted(match[1], match[2], name, float(match[3]) - 1))
        elif match := re.fullmatch(r"\d+ (.*)", line):
            visual, mood, setting, *said = match[1].split("|")
            films[name].append("|".join([visual, mood, "", setting, *said]))
    for name, scenes in films.items():
        write_film(shelf, name, scenes)
    return queries


@contextmanager
def only(way: str) -> Iterator[None]:
    """Let a library find by words or by meaning alone: for measuring, and no option of its own."""
    with pytest.MonkeyPatch.context() as patch:
        module = "cinecut.search.library"
        if way == "words":
            patch.setattr(f"{module}.find_by_meaning", lambda *_: [])
            patch.setattr(f"{module}.nearest_first", lambda *_: [])
        elif way == "meaning":
            patch.setattr(f"{module}.find_all_words", lambda *_: [])
            patch.setattr(f"{module}.find_by_words", lambda *_: [])
            patch.setattr(f"{module}.nearest_first", lambda _, __, rows: rows)
        yield


def places(library: Library, wanted: Wanted, limit: int = 5) -> list[bool]:
    """Return of the first hits whether each is the scene that is wanted."""
    hits = library.search(wanted.query, limit)
    return [(hit.film, hit.timestamp_s) == (wanted.film, wanted.timestamp_s) for hit in hits]


def shares(library: Library, queries: list[Wanted]) -> tuple[float, float]:
    """Return for how many of the queries the scene came first, and among the first five."""
    found = [places(library, wanted) for wanted in queries]
    at_1 = sum(any(each[:1]) for each in found)
    return at_1 / len(found), sum(map(any, found)) / len(found)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="module")
def queries(shelf: Path) -> list[Wanted]:
    queries = write_shelf(shelf)
    assert len(queries) == 140
    assert sum(len(journal.read_text().splitlines()) - 1 for journal in shelf.glob("*/*")) == 400
    return queries


def test_both_ways_find_more_than_either(shelf: Path, queries: list[Wanted]) -> None:
    found = {}
    for way in WAYS:
        with only(way), Library(shelf) as library:
            found[way] = shares(library, queries)
    for at, wanted in enumerate((0.80, 0.95)):
        assert found["both"][at] >= wanted
        assert found["both"][at] > max(found["words"][at], found["meaning"][at])


def main() -> None:
    """Print the table of the README."""
    with tempfile.TemporaryDirectory() as scratch:
        shelf = Path(scratch)
        queries = write_shelf(shelf)
        kinds = list(dict.fromkeys(wanted.kind for wanted in queries))
        print("| queries | " + " | ".join([*kinds, "all"]) + " |")
        print("| --- |" + " --- |" * (len(kinds) + 1))
        for way in WAYS:
            with only(way), Library(shelf, index=shelf / "index") as library:
                cells = []
                for kind in [*kinds, None]:
                    some = [wanted for wanted in queries if kind in (wanted.kind, None)]
                    cells.append("{:.2f} {:.2f}".format(*shares(library, some)))
            print(f"| {way} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
