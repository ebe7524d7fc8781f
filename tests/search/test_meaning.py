"""Scenes are found by their meaning: offline, and beside what words alone find."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from shelf import write_film

from cinecut.search import Library, index
from cinecut.search.embedding import embed
from cinecut.search.signs import signs

BEACH = "A dog runs on the beach | carefree | A dog fetches a stick | beach at noon"
STREET = "A red car stops under a lamp | tense | Two men get out | a street at night"
KITCHEN = "A woman cuts bread | homely | She hums | a kitchen in the morning"


def test_a_paraphrase_finds_its_scene_and_no_word_is_marked(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, KITCHEN, BEACH])

    with Library(tmp_path) as library:
        first = library.search("puppy near the sea")[0]

    assert (first.timestamp_s, first.marks) == (2.0, {})


def test_conditions_hold_for_what_is_found_by_meaning(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, KITCHEN, BEACH])
    write_film(tmp_path, "b.mkv", [BEACH, STREET])

    with Library(tmp_path) as library:
        hits = library.search("puppy near the sea", mood="tense", film="b")
        assert [(hit.film, hit.timestamp_s) for hit in hits] in ([], [("b.mkv", 1.0)])
        assert library.search('puppy "near the sea"') == []


def test_what_another_process_or_the_library_itself_learns_is_found(tmp_path: Path) -> None:
    """The signs of all scenes are kept from one query to the next."""
    write_film(tmp_path, "a.mkv", [STREET, KITCHEN])

    def hits() -> list[tuple[str, float]]:
        return [(hit.film, hit.timestamp_s) for hit in library.search("puppy near the sea")]

    with Library(tmp_path) as library:
        before = hits()
        write_film(tmp_path, "a.mkv", [STREET, KITCHEN, KITCHEN, BEACH])
        with Library(tmp_path):
            pass
        learnt_by_another = hits()
        write_film(tmp_path, "b.mkv", [KITCHEN, BEACH])
        library.refresh()
        learnt_by_itself = hits()

    assert before == []
    assert learnt_by_another[0] == ("a.mkv", 3.0)
    assert set(learnt_by_itself[:2]) == {("a.mkv", 3.0), ("b.mkv", 1.0)}


def test_of_a_frequent_word_the_scenes_that_mean_most_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rank all scenes that have it would take seconds in a large library."""
    monkeypatch.setattr("cinecut.search.words._MOST_COUNTED", 3)
    hill, cottage = "A tree on a hill | calm | Nothing moves", "A tree beside a cottage | calm | -"
    write_film(tmp_path, "a.mkv", [hill] * 5)
    write_film(tmp_path, "b.mkv", [cottage] * 5)

    with Library(tmp_path) as library:
        hits = library.search("tree house", 5)
        assert {hit.film for hit in hits} == {"b.mkv"}
        assert all(hit.marks["visual_content"] == ((2, 6),) for hit in hits)
        assert {hit.film for hit in library.search("tree house", film="a")} == {"a.mkv"}


def test_a_look_at_the_signs_alone_loses_next_to_nothing() -> None:
    chance = np.random.default_rng(1)
    nouns = ("dog", "house", "car", "street", "night", "child", "bread", "king", "sea", "lamp")
    words = [f"{each}{end}" for each in nouns for end in ("", "s", "y", "ly")]
    texts = [" ".join(chance.choice(words, 12)) for _ in range(20_000)]
    vectors = embed(texts)
    bits = np.unpackbits(np.frombuffer(signs(vectors), np.uint8).reshape(len(texts), -1), axis=1)

    shares = []
    for wanted in range(50):
        nearest = np.argsort(-(vectors @ vectors[wanted]))[:10]
        by_signs = np.argsort((bits != bits[wanted]).sum(axis=1), kind="stable")[:200]
        shares.append(np.isin(nearest, by_signs).mean())
    assert np.mean(shares) >= 0.95


def test_words_that_no_vector_is_known_for_are_found_all_the_same(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, "夜の海 | 静か | 波が寄せる | 浜辺", KITCHEN])

    with Library(tmp_path) as library:
        assert library.search("浜辺")[0].timestamp_s == 1.0
        assert library.search("静か 浜辺")[0].timestamp_s == 1.0


def test_another_table_or_another_form_is_another_version_of_the_index() -> None:
    """Vectors of two tables in one index would be compared with each other.

    If this fails, give `index._VERSION` the next number, and here the digest that is told.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update((files("cinecut.search") / "meaning.npz").read_bytes())
    digest.update("".join(index._TABLES).encode())
    assert (index._VERSION, digest.hexdigest()) == (3, "36dbdbb0b6934272")


OFFLINE = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from pathlib import Path
from cinecut.search import Library
with Library(Path(sys.argv[1])) as library:
    print(library.search("puppy near the sea")[0].timestamp_s)
"""


def test_nothing_goes_to_the_network_and_nothing_but_the_index_is_written(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, BEACH])

    command = [sys.executable, "-c", OFFLINE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("1.0\n", "")
    home = Path(os.environ["HOME"])
    written = [path.name for path in home.rglob("*") if path.is_file()]
    assert written == ["search.sqlite"]
