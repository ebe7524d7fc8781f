"""Every shot has its own frame, whatever its contrast, colour, length, neighbours and changes.

A part of all combinations, by chance and the same each time; `scripts/check_shots` tries all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from films import BLACK, Look, index_of, make_film, still
from shot_matrix import CHANGES, FPS, NEIGHBOURS, flat_stretches, make_matrix_film, some_cases

CASES = 6


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_every_shot_that_shows_anything_has_a_frame_of_its_own(
    tmp_path: Path, scan: Callable, neighbour: str, change: str
) -> None:
    film = tmp_path / "matrix.mp4"
    seed = 10 * NEIGHBOURS.index(neighbour) + CHANGES.index(change)
    stretches = make_matrix_film(film, some_cases(CASES, seed), neighbour, change, has_index=False)
    flat = flat_stretches(film, stretches, neighbour)

    records, _ = scan(film)

    frames = [round(record.timestamp_s * FPS) for record in records]
    own = {
        stretch: [frame for frame in frames if stretch.first <= frame < stretch.end]
        for stretch in stretches
    }
    assert [one for one, found in own.items() if len(found) != (one not in flat)] == []
    assert sum(map(len, own.values())) == len(frames), "a frame out of the middle of a change"


@pytest.mark.parametrize("change", CHANGES)
def test_the_picture_of_each_shot_is_its_own(tmp_path: Path, scan: Callable, change: str) -> None:
    """The index in the pixels says so; the row of it is a logo that stays through all changes."""
    film = tmp_path / "matrix.mp4"
    cases = [case for case in some_cases(40, 7) if case.contrast >= 8][:CASES]
    stretches = make_matrix_film(film, cases, "contrasty", change, has_index=True)

    records, _ = scan(film)

    shown = [index_of(Path(record.frame_path).read_bytes()) for record in records]
    assert shown == [round(record.timestamp_s * FPS) for record in records]
    assert all(any(one.first <= index < one.end for index in shown) for one in stretches)


def test_a_shot_of_stars_is_dark_and_not_nothing(tmp_path: Path, scan: Callable) -> None:
    """A few bright pixels on black between two cuts; black itself has no frame."""
    stars = BLACK[:201] + b"\xff" * 3 + BLACK[204:]
    thumbs = [*still(1, 50), *[stars] * 50, *still(2, 50), *[BLACK] * 50, *still(3, 50)]
    film = make_film(tmp_path / "stars.mp4", thumbs, Look(has_index=False))

    records, _ = scan(film)

    assert [int(record.timestamp_s / 2) for record in records] == [0, 1, 2, 4]
