"""Shots that belong together make a part: told of pictures, times and words alone."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import mean

import pytest
from stories import BLACK, Place, Story, begins_of, f1, place, shot, stories

from cinecut.models import DialogueLine
from cinecut.story.likeness import Shot
from cinecut.story.parts import parts_of

ROUNDS = 5
KINDS = list(stories())


def shots_of(story: Story) -> tuple[list[Shot], float]:
    """What is known of each shot, seen from its middle, and the film's end."""
    begins, ends_s = iter(story.begins_s()), 0.0
    shots, before = [], 0
    for (length_s, thumb), scene in zip(story.shots, story.scene_of, strict=True):
        if scene != before:
            ends_s = next(begins)[1]
        shots.append(Shot(ends_s + length_s / 2, thumb))
        ends_s, before = ends_s + length_s, scene
    return shots, ends_s


def talk(where: Place, at_s: float, set_ups: str, **facts: object) -> list[Shot]:
    """Three seconds a shot, set-ups named by digits."""
    rng = random.Random(at_s)
    return [
        Shot(at_s + 3 * number, shot(where, int(name), rng), **facts)  # type: ignore[arg-type]
        for number, name in enumerate(set_ups)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_scenes_of_a_story_are_found(kind: str) -> None:
    scores = []
    for seed in range(ROUNDS):
        story = stories(seed)[kind]
        shots, end_s = shots_of(story)
        parts = parts_of(shots, end_s)
        assert [*dict.fromkeys(parts)] == list(range(parts[-1] + 1))
        times_s = [one.time_s for one in shots]
        scores.append(f1(begins_of(parts, times_s), story.begins_s(), times_s))

    assert mean(scores) >= 0.9, scores


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("thumb", [None, BLACK, b"no picture"])
def test_a_few_shots_are_one_part(count: int, thumb: bytes | None) -> None:
    assert parts_of([Shot(2.0 * at, thumb) for at in range(count)]) == [0] * count


def test_without_pictures_nothing_is_alike_but_the_words() -> None:
    """What is unknown is never equal: one part comes of equal words, and none of nothing."""
    places = ["a harbour at dawn"] * 6 + ["an attic full of books"] * 6
    told = [Shot(5.0 * at, words=words) for at, words in enumerate(places)]
    untold = [Shot(40.0 * at) for at in range(6)]

    assert parts_of(told) == [0] * 6 + [1] * 6
    assert parts_of(untold, end_s=240) == list(range(6))


def test_a_picture_that_is_gone_stays_with_those_around_it() -> None:
    shots = talk(place(1), 0, "01010101") + talk(place(2), 24, "01010101")
    shots[3] = replace(shots[3], thumb=None)

    assert parts_of(shots) == [0] * 8 + [1] * 8


def test_a_talk_that_runs_on_joins_what_is_a_little_alike() -> None:
    """Over the joint somebody speaks: here once more, and there after a pause."""
    one, other = talk(place(1), 0, "0000000"), talk(place(1).like(12), 21, "0000000")
    rest = talk(place(2), 42, "01010101") + talk(place(3), 66, "01010101")
    said = replace(one[-1], dialogue=(DialogueLine(17, 20.5, "Where have you been?"),))
    at_once = replace(other[0], dialogue=(DialogueLine(21, 22, "Out."),))
    later = replace(other[0], dialogue=(DialogueLine(26, 27, "Out."),))

    assert parts_of([*one, *other, *rest])[:14] == [0] * 7 + [1] * 7
    assert parts_of([*one[:-1], said, later, *other[1:], *rest])[:14] == [0] * 7 + [1] * 7
    assert set(parts_of([*one[:-1], said, at_once, *other[1:], *rest])[:14]) == {0}


def test_a_later_moment_of_a_shot_is_in_its_part() -> None:
    """Where the scan has seen no cut there is none, however the picture has changed."""
    shots = [Shot(30.0 * at, shot(place(at), at, random.Random(at))) for at in range(5)]

    assert len(set(parts_of(shots))) > 1
    assert parts_of([shots[0], *(replace(one, goes_on=True) for one in shots[1:])]) == [0] * 5


def test_a_return_is_a_part_of_its_own_and_a_look_aside_is_not() -> None:
    here, aside = talk(place(1), 0, "0101010101"), talk(place(2), 30, "010")
    back = talk(place(1), 39, "0101010101")
    long = talk(place(2), 30, "0101010101010101")
    later = talk(place(1), 78, "0101010101")

    assert set(parts_of([*here, *aside, *back])) == {0}
    assert parts_of([*here, *long, *later]) == [0] * 10 + [1] * 16 + [2] * 10
