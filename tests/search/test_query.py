"""Whatever is typed is a query, or is told to hold no word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelf import write_film

from cinecut.errors import UsageError
from cinecut.search import Library
from cinecut.search.query import parse_query


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    shelf = tmp_path_factory.mktemp("shelf")
    write_film(shelf, "a.mkv", ["A red car | tense | It stops | a street, 2 AM", "Nothing else"])
    with Library(shelf, index=shelf / "index.sqlite") as opened:
        yield opened


PIECES = [
    *('"', "*", "^", ":", "(", ")", "{", "}", "-", "+", "'", ",", "NEAR", "AND", "OR", "NOT"),
    *("car", "visual:", "MOOD:", "film:", "nofield:", 'visual:"', "\0", "\ud800", "é", "車", "🐕"),
    *("\u0301", "\u200d", " ", "  ", "red", "a", "the", "2", "_", "%", "\\", ";", "--", "\n"),
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_no_query_is_a_fault_of_syntax(library: Library, text: str) -> None:
    try:
        hits = library.search(text, mood="a" + text, source="x" + text)
        hits += library.search(text)
    except UsageError:
        return
    assert all(hit.film == "a.mkv" for hit in hits)


@pytest.mark.parametrize("text", ["", "  ", '"', "***", "🐕", 'mood:""', "—"])
def test_a_query_without_a_word_is_told_so(text: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        parse_query(text)


def test_words_of_a_language_alone_are_left_out_unless_there_is_nothing_else() -> None:
    query = parse_query("the car in a street")
    assert query.words == ("car", "street")
    assert len(parse_query("to be or not to be").words) == 1
    assert len(parse_query("who was he").words) == 3


def test_a_long_query_is_cut(library: Library) -> None:
    assert library.search("car " + " ".join(f"word{n}" for n in range(5000)))


def test_a_misspelt_word_is_taken_for_the_nearest_one(library: Library) -> None:
    [hit] = [hit for hit in library.search("streat") if hit.marks]
    assert hit.marks == {"setting": ((2, 8),)}


@pytest.mark.parametrize("typed", ["stret", "strreet", "streat", "stERet", "strêat"])
def test_a_misspelt_word_is_taken_for_one_that_a_scene_has(library: Library, typed: str) -> None:
    assert library.search(typed)[0].marks == {"setting": ((2, 8),)}


@pytest.mark.parametrize("typed", ["strqqqt", "strict", "tre"])
def test_what_is_another_word_or_none_is_left_as_it_is(library: Library, typed: str) -> None:
    assert not any(hit.marks for hit in library.search(typed))
