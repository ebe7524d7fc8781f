"""Every family of vision models is described with, whatever a film's shape, within the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from server_process import ServerProgram

from cinecut.inference.model import picture_tokens
from families import FAMILIES, GEMMA3, GEMMA_4
from families.family import Family
from families.trial import SHAPES, Trial, try_shapes

pytestmark = pytest.mark.server

_SLOTS = 4
_SHAPES = {shape: SHAPES[shape] for shape in ("21:9", "9:16", "1:1", "tiny")}
"""All six, with 1, 4 and 16 slots and a film, are tried by scripts/check_families."""
_MARKS = 64
"""Tokens that may stand round a picture, which the plan counts as text."""

each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.fixture(scope="session")
def trials() -> dict[str, Trial]:
    return {}


@pytest.fixture
def trial(
    family: Family,
    trials: dict[str, Trial],
    llama_server: ServerProgram,
    tmp_path: Path,
) -> Trial:
    """What came of one server's start, for all tests of the family."""
    if family.name not in trials:
        pair = family.write(tmp_path)
        trials[family.name] = try_shapes(
            pair, llama_server.path, tmp_path / "log", slots=_SLOTS, shapes=_SHAPES
        )
    return trials[family.name]


@each_family
def test_every_shape_is_described(family: Family, trial: Trial) -> None:
    assert trial.skips == {}


@each_family
def test_slot_holds_the_longest_prompt_and_reply(family: Family, trial: Trial) -> None:
    assert trial.most_tokens <= trial.context_per_slot


@each_family
def test_planned_picture_is_the_costliest_one(family: Family, trial: Trial) -> None:
    most = max(trial.picture_tokens.values())

    assert most <= trial.planned_picture_tokens + _MARKS
    assert trial.planned_picture_tokens <= 1.5 * most  # more would be memory for nothing


_FINE_GEMMA = replace(
    GEMMA3, tower=replace(GEMMA3.tower, metadata={"clip.vision.projector.scale_factor": 2})
)
"""Its pictures have 1024 tokens."""


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize(
    ("family", "is_known"), [(_FINE_GEMMA, True), (GEMMA_4, False)], ids=["known", "unknown"]
)
def test_a_picture_whose_tokens_see_each_other_is_computed_at_once(
    family: Family,
    is_known: bool,
    slots: int,
    llama_server: ServerProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server aborts if its micro-batch is smaller; a kind that is not known may be such a one."""
    if not is_known:
        monkeypatch.delitem(picture_tokens._RULES, family.tower.projector)
    pair, wide = family.write(tmp_path), {"32:9": (2389, 672)}

    trial = try_shapes(pair, llama_server.path, tmp_path / "log", slots=slots, shapes=wide)

    assert trial.skips == {}
    assert trial.picture_tokens["32:9"] > 512


@each_family
def test_pair_is_small_and_always_the_same(family: Family, tmp_path: Path) -> None:
    one, other = family.write(tmp_path / "one"), family.write(tmp_path / "other")

    assert one.model.read_bytes() == other.model.read_bytes()
    assert one.mmproj.read_bytes() == other.mmproj.read_bytes()
    assert one.model.stat().st_size + one.mmproj.stat().st_size < 3_000_000
