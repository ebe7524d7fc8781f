"""A film's parts are joined to a few chapters, whole ones, of about one length."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from stories import place, shot

from cinecut.story.chapters import chapters_of
from cinecut.story.likeness import Shot


def film(places: list[int], shots: int = 6) -> tuple[list[Shot], list[int]]:
    """A part for each place, a minute long."""
    rng = random.Random(1)
    made = [
        Shot(60.0 * part + 60 / shots * at, shot(place(name), at % 2, rng))
        for part, name in enumerate(places)
        for at in range(shots)
    ]
    return made, [part for part in range(len(places)) for _ in range(shots)]


@pytest.mark.parametrize("most", [1, 4, 12, 100])
def test_there_are_so_many_and_of_whole_parts(most: int) -> None:
    shots, parts = film(list(range(40)))

    chapters = chapters_of(shots, parts, most)

    assert [*dict.fromkeys(chapters)] == list(range(min(most, 40)))
    assert chapters == sorted(chapters)
    assert len(set(zip(parts, chapters, strict=True))) == 40
    assert chapters == chapters_of(shots, parts, most)


def test_parts_of_one_place_come_together_first() -> None:
    shots, parts = film([1, 1, 1, 2, 2, 2, 3, 3, 3])

    assert chapters_of(shots, parts, 3) == [0] * 18 + [1] * 18 + [2] * 18


@pytest.mark.parametrize("is_known", [True, False])
def test_none_is_much_longer_than_the_others(is_known: bool) -> None:
    shots, parts = film([number % 3 for number in range(96)], shots=2)
    if not is_known:
        shots = [Shot(one.time_s) for one in shots]

    lengths = Counter(chapters_of(shots, parts, 12)).values()

    assert len(lengths) == 12
    assert max(lengths) <= 4 * min(lengths)


def test_nothing_has_no_chapter() -> None:
    assert chapters_of([], []) == []
