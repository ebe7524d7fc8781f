"""Scenes are found by their meaning: offline, and beside what words alone find."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import run
from shelf import needs_meaning, write_film

from cinecut.search import Library

BEACH = "A dog runs on the beach | carefree | A dog fetches a stick | beach at noon"
STREET = "A red car stops under a lamp | tense | Two men get out | a street at night"
KITCHEN = "A woman cuts bread | homely | She hums | a kitchen in the morning"


@pytest.fixture(autouse=True)
def _needs_meaning() -> None:
    needs_meaning()


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


def test_results_indexed_by_words_alone_get_their_meaning_later(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, BEACH])
    with Library(tmp_path, meaning=False) as library:
        assert library.search("puppy") == []
    with Library(tmp_path) as library:
        assert library.search("puppy")[0].timestamp_s == 1.0
    with Library(tmp_path, meaning=False) as library:
        assert library.search("dog")[0].timestamp_s == 1.0


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


def test_without_the_extra_words_alone_are_searched_and_one_line_says_so(tmp_path: Path) -> None:
    write_film(tmp_path, "a.mkv", [STREET, BEACH])
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'wordllama' else found(name, *more)\n"
    )

    done = run("search", "dog", tmp_path, PYTHONPATH=str(hidden))

    assert done.returncode == 0
    assert "A dog runs on the beach" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "cinecut[search]" in done.stderr
