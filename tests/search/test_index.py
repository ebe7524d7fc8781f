"""The index knows what the journals say, whatever happened to either of them."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from full_disk import full_disk
from killing import Shelf, kill_some
from shelf import scene, write_film

from cinecut.errors import SearchIndexError, UsageError
from cinecut.excerpts.spans import excerpts_of
from cinecut.models import DialogueLine
from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import scene_to_line, step_to_line
from cinecut.search import Hit, Library

BEACH = "A dog runs on the beach | carefree | A dog fetches a stick | beach at noon"
STREET = "A red car stops under a lamp | tense | Two men get out | a street at night"
KITCHEN = "A woman cuts bread | homely | She hums | a kitchen in the morning"


def found(shelf: Path, query: str, **options: str) -> list[tuple[str, float]]:
    with Library(shelf) as library:
        return [(hit.film, hit.timestamp_s) for hit in library.search(query, **options)]


def test_scenes_are_found_by_words_and_stems_the_best_first(tmp_path: Path) -> None:
    write_film(tmp_path, "coast.mkv", [KITCHEN, BEACH])
    write_film(tmp_path, "city.mkv", ["A street with cars | busy | Cars pass | noon", STREET])

    assert found(tmp_path, "dogs running")[0] == ("coast.mkv", 1.0)
    assert found(tmp_path, "red car")[0] == ("city.mkv", 1.0)


def test_a_hit_tells_all_of_its_scene(tmp_path: Path) -> None:
    folder = write_film(tmp_path, "city.mkv", [STREET])
    picture = folder / "frames" / "000000000.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"a picture")
    film = tmp_path / "city.mkv"
    film.write_bytes(b"a film")

    with Library(tmp_path) as library:
        [hit] = library.search("cars night")

    assert (hit.film, hit.timestamp_s, hit.source) == ("city.mkv", 0.0, "scene_change")
    assert (hit.folder, hit.frame_path, hit.film_path) == (folder, picture, film)
    assert hit.description is not None
    assert hit.description["mood"] == "tense"
    assert _marked(hit) == {"car", "night"}


def test_chapters_are_found_where_they_begin(tmp_path: Path) -> None:
    folder = write_film(tmp_path, "city.mkv", [KITCHEN, STREET, STREET, BEACH], length_s=8.0)
    told = {"sentences": [{"text": "Two robbers plan a burglary.", "scenes": [1, 2]}]}
    chapter = {"title": "The heist", **told}
    step = SummaryEntry(step="chapter", key="a", first=1, last=2, told=chapter)
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(step_to_line(step))

    with Library(tmp_path) as library:
        [heist] = library.search("chapter:heist")
        assert library.search("burglar")[0].chapter == heist.chapter
        assert library.search("stolen loot")[0].chapter == heist.chapter
        assert library.search("car")[0].chapter is None

    assert (heist.timestamp_s, heist.description, heist.dialogue) == (1.0, None, ())
    assert heist.chapter == "The heist. Two robbers plan a burglary."
    assert heist.marks == {"chapter": ((4, 9),)}
    [excerpt] = excerpts_of([heist], pytest.fail)
    assert (excerpt.begin_s, excerpt.end_s, excerpt.scene) == (0.5, 2.5, 1)


def test_what_is_said_is_found_in_its_own_language(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, f"{KITCHEN} | Wo ist die Brücke? | Dort drüben."])

    with Library(tmp_path) as library:
        [hit] = library.search("dialogue:brucke")
        assert library.search("visual:brucke") == []

    assert hit.dialogue == (
        DialogueLine(1.25, 1.75, "Wo ist die Brücke?"),
        DialogueLine(1.25, 1.75, "Dort drüben."),
    )
    assert _marked(hit) == {"Brücke"}


def _marked(hit: Hit) -> set[str]:
    texts = {**(hit.description or {}), "dialogue": " ".join(line.text for line in hit.dialogue)}
    return {texts[name][a:b] for name, spans in hit.marks.items() for a, b in spans}


def test_what_a_hit_names_is_not_somebody_elses(tmp_path: Path) -> None:
    """A link in a folder of somebody else leads anywhere."""
    folder = write_film(tmp_path, "city.mkv", [STREET])
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"")
    (folder / "frames").mkdir()
    (folder / "frames" / "000000000.jpg").symlink_to(secret)

    with Library(tmp_path) as library:
        assert library.search("car")[0].frame_path is None


def test_filters_and_fields_hold_for_every_hit(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, KITCHEN])
    write_film(tmp_path, "b.mkv", [scene(0, STREET, source="subtitle_midpoint"), KITCHEN])

    assert found(tmp_path, "car", film="B.M") == [("b.mkv", 0.0)]
    assert found(tmp_path, "car", source="scene_change") == [("a.mkv", 0.0)]
    assert found(tmp_path, "car bread", mood="homely", film="a") == [("a.mkv", 1.0)]
    assert found(tmp_path, "mood:tense film:a") == [("a.mkv", 0.0)]
    assert found(tmp_path, 'visual:"red car" film:b') == [("b.mkv", 0.0)]
    assert found(tmp_path, '"car red"') == []
    assert found(tmp_path, "visual:tense") == []
    assert {film for film, _ in found(tmp_path, "brea*")} == {"a.mkv", "b.mkv"}


def test_it_learns_of_new_changed_moved_and_deleted_results(tmp_path: Path) -> None:
    folder = write_film(tmp_path, "a.mkv", [STREET])
    assert found(tmp_path, "car") == [("a.mkv", 0.0)]

    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(scene_to_line(scene(7, BEACH)) + '{"type":"scene","torn')
    write_film(tmp_path, "b.mkv", [KITCHEN])
    assert found(tmp_path, "dog") == [("a.mkv", 7.0)]
    assert found(tmp_path, "bread") == [("b.mkv", 0.0)]

    moved = tmp_path / "deep" / "er" / folder.name
    moved.parent.mkdir(parents=True)
    folder.rename(moved)
    with Library(tmp_path) as library:
        assert [hit.folder for hit in library.search("dog")] == [moved]

    shutil.rmtree(moved)
    assert found(tmp_path, "dog car") == []
    assert found(tmp_path, "bread") == [("b.mkv", 0.0)]


def test_what_lies_elsewhere_is_neither_found_nor_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_film(tmp_path / "one", "a.mkv", [STREET])
    write_film(tmp_path / "two", "b.mkv", [STREET])
    assert len(found(tmp_path, "car")) == 2
    assert found(tmp_path / "one", "car") == [("a.mkv", 0.0)]

    monkeypatch.setattr("cinecut.search.entry.read_results", pytest.fail)  # all is known already
    assert len(found(tmp_path, "car")) == 2


def test_results_in_the_place_of_others_are_read_anew(tmp_path: Path) -> None:
    a = write_film(tmp_path, "a.mkv", [STREET])
    b = write_film(tmp_path, "b.mkv", [BEACH])
    found(tmp_path, "car")

    shutil.rmtree(b)
    a.rename(b)

    with Library(tmp_path) as library:
        assert [hit.folder for hit in library.search("car dog")] == [b]


def test_films_folders_stay_as_they_are(tmp_path: Path) -> None:
    folder = write_film(tmp_path / "films", "a.mkv", [STREET])
    before = (folder / "scenes.jsonl").read_bytes()
    for name in ("films", "films/a.mkv.cinecut"):
        (tmp_path / name).chmod(0o555)

    assert found(tmp_path / "films", "car") == [("a.mkv", 0.0)]

    assert [path.name for path in folder.iterdir()] == ["scenes.jsonl"]
    assert (folder / "scenes.jsonl").read_bytes() == before


def the_index() -> Path:
    return Path(os.environ["XDG_CACHE_HOME"], "cinecut", "search.sqlite")


def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    """Zeros, text, cut off anywhere, holes in it, another version's."""
    write_film(tmp_path, "a.mkv", [STREET, BEACH] * 50)
    assert found(tmp_path, "car", film="a")
    whole = the_index().read_bytes()
    size = len(whole)
    damages = [bytes(size), b"no index", whole[: size // 2], whole[:100], whole[:5000], b""]
    damages += [whole[:at] + bytes(4096) + whole[at + 4096 :] for at in range(4096, size, 4096)]
    for damage in damages:
        the_index().write_bytes(damage)
        assert len(found(tmp_path, "car lamp red stops")) == 10
    with sqlite3.connect(the_index()) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("DROP TABLE films")
    connection.close()
    assert len(found(tmp_path, "car")) == 10


def test_damage_that_shows_while_it_is_searched_is_mended_too(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET])
    with Library(tmp_path) as library:
        assert library.search("car")
        with sqlite3.connect(the_index()) as connection:
            connection.execute("DROP TABLE scenes")
        connection.close()
        assert library.search("car")


def test_a_file_of_somebody_else_is_never_taken_for_an_index(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET])
    notes, others = tmp_path / "notes.txt", tmp_path / "others.sqlite"
    notes.write_text("what I must not lose")
    with sqlite3.connect(others) as connection:
        connection.execute("CREATE TABLE films (mine)")
    connection.close()
    for path in (notes, others):
        before = path.read_bytes()
        with pytest.raises(SearchIndexError, match=r"no index of CineCut's"):
            Library(tmp_path, index=path).__enter__()
        assert path.read_bytes() == before

    with Library(tmp_path, index=tmp_path / "mine.sqlite") as library:
        assert library.search("car")
    with Library(tmp_path, index=tmp_path / "mine.sqlite") as library:
        assert library.search("car")


def test_an_index_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET])
    for index in (tmp_path / "none" / "index", tmp_path, Path("/dev/full")):
        with pytest.raises(SearchIndexError, match="--index FILE"):
            Library(tmp_path, index=index).__enter__()


def test_a_full_disk_is_told_and_the_next_search_is_right(tmp_path: Path) -> None:
    folders = [write_film(tmp_path, f"{name}.mkv", [STREET, BEACH] * 50) for name in "abc"]
    before = [(folder / "scenes.jsonl").read_bytes() for folder in folders]
    for room_bytes in (0, 1000, 30_000, 60_000):
        with full_disk(room_bytes), pytest.raises(SearchIndexError, match="has room"):
            found(tmp_path, "car")

    with Library(tmp_path) as library:
        assert len(library.search("car", 1000)) >= 150
    assert [(folder / "scenes.jsonl").read_bytes() for folder in folders] == before


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        Library(tmp_path / "nowhere")
    (tmp_path / "a.mkv").write_bytes(b"")
    folder = write_film(tmp_path, "a.mkv", [STREET])
    assert Library(tmp_path / "a.mkv").places == [folder]


SEARCHER = """
import sys
from pathlib import Path
from cinecut.search import Library
with Library(Path(sys.argv[1])) as library:
    print(len(library.search("car", 1000)))
"""


def test_it_survives_being_killed_at_any_moment(tmp_path: Path) -> None:
    """Some of what `scripts/kill_search` tries."""
    kills = list(kill_some(Shelf(tmp_path, 2), 4, random.Random(5)))

    assert [kill for kill in kills if kill.problems] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from cinecut.search import Library
library = Library(Path(sys.argv[1]), index=Path(sys.argv[2]))
library.__enter__()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_index_that_was_named_is_still_ours_after_a_kill(tmp_path: Path) -> None:
    """SQLite keeps what it is told in a log until the last process closes it."""
    write_film(tmp_path, "a.mkv", [STREET])
    index = tmp_path / "mine.sqlite"
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(index)], check=False)
    assert index.stat().st_size

    with Library(tmp_path, index=index) as library:
        assert library.search("car")


def test_two_searches_beside_a_describe_see_whole_films(tmp_path: Path) -> None:
    """The journal grows a piece of a line at a time meanwhile."""
    for name in "abcd":
        write_film(tmp_path, f"{name}.mkv", [STREET] * 100)
    journal = tmp_path / "a.mkv.cinecut" / "scenes.jsonl"
    is_over = threading.Event()

    def describe() -> None:
        at = 100
        while not is_over.is_set():
            line = scene_to_line(scene(at, STREET))
            for half in (line[:70], line[70:]):
                with journal.open("a") as file:
                    file.write(half)
            at += 1
            time.sleep(0.01)

    writer = threading.Thread(target=describe)
    writer.start()
    try:
        command = [sys.executable, "-c", SEARCHER, str(tmp_path)]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        told = [searcher.communicate()[0] for searcher in both]
    finally:
        is_over.set()
        writer.join()

    assert [searcher.returncode for searcher in both] == [0, 0]
    assert all(int(number) >= 400 for number in told)
    lines = journal.read_text().splitlines()
    assert all(map(json.loads, lines))
    with Library(tmp_path) as library:
        assert len(library.search("car", 10_000)) == 300 + len(lines) - 1
