"""Slots fill the memory that is there, by a sum that agrees with what was measured on a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinecut.inference.gpu.slots import (
    MOST_SLOTS,
    batch_tokens,
    needed_mib,
    plan_for_cpu,
    plan_for_gpu,
    with_room_for_texts,
)
from cinecut.inference.model.gguf_header import GgufHeader
from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.vram import VRAM_MINIMUM_MIB

MEASURED_WEIGHTS_MIB = 4236


def model(weights_mib: int = MEASURED_WEIGHTS_MIB, **text: object) -> VisionModel:
    shape = {"block_count": 32, "attention.head_count": 32, "embedding_length": 4096}
    shape |= {"feed_forward_length": 11008} | text
    metadata = {"general.architecture": "llama"}
    metadata |= {f"llama.{key.replace('__', '.')}": value for key, value in shape.items()}
    clip_facts = {"image_size": 336, "patch_size": 14, "embedding_length": 1024}
    tower = {f"clip.vision.{key}": value for key, value in clip_facts.items()}
    clip = GgufHeader(Path("mmproj.gguf"), 0, {"general.architecture": "clip", **tower})
    return VisionModel(GgufHeader(Path("model.gguf"), weights_mib << 20, metadata), clip)


@pytest.mark.parametrize(
    ("slots", "context_per_slot", "measured_mib"), [(1, 2048, VRAM_MINIMUM_MIB), (16, 1536, 17_597)]
)
def test_what_is_needed_is_what_a_7b_took_on_a_gpu(
    slots: int, context_per_slot: int, measured_mib: int
) -> None:
    """One slot took 6,035 MiB: the minimum is above that."""
    assert needed_mib(model(), slots, context_per_slot) == pytest.approx(measured_mib, abs=30)


@pytest.mark.parametrize(("slots", "measured_mib"), [(8, 11_155), (16, 17_299), (32, 29_589)])
def test_so_it_is_with_batches_of_the_server_s_own_size(slots: int, measured_mib: int) -> None:
    batch = batch_tokens(model().picture, slots)
    more_mib = model().batch_mib(batch) - model().batch_mib(512)

    assert needed_mib(model(), slots, 1536) - more_mib == pytest.approx(measured_mib, abs=30)


def test_a_7b_never_needs_less_than_the_minimum() -> None:
    assert needed_mib(model(weights_mib=10), 1, 256) == VRAM_MINIMUM_MIB
    assert needed_mib(model(weights_mib=10, embedding_length=64), 1, 256) < VRAM_MINIMUM_MIB


@pytest.mark.parametrize(("slots", "batch"), [(1, 1024), (3, 1024), (4, 2048)])
def test_a_picture_that_must_be_in_one_batch_has_its_memory_too(slots: int, batch: int) -> None:
    """1024 tokens a picture; of one that need not be, three slots work on 512 at once."""
    clip = {"general.architecture": "clip", "clip.vision.image_size": 896}
    clip |= {"clip.vision.patch_size": 14, "clip.vision.projector.scale_factor": 2}
    whole, parts = (
        replace(model(20_000), mmproj=GgufHeader(Path("mmproj.gguf"), 0, {**clip, key: kind}))
        for key, kind in (("clip.projector_type", "gemma3"), ("clip.projector_type", "kimivl"))
    )

    assert batch_tokens(whole.picture, slots) == batch
    more_mib = whole.batch_mib(batch) - parts.batch_mib(batch_tokens(parts.picture, slots))
    assert needed_mib(whole, slots, 2048) - needed_mib(parts, slots, 2048) == pytest.approx(
        more_mib + whole.tower_mib - parts.tower_mib, abs=1
    )


@given(
    free_mib=st.integers(0, 200_000),
    context=st.integers(1, 16).map(lambda steps: 256 * steps),
    weights_mib=st.integers(1, 60_000),
)
def test_as_many_slots_as_fit(free_mib: int, context: int, weights_mib: int) -> None:
    """The plan fits, unless not even one slot does; one slot more would not, below the most."""
    asked = model(weights_mib)
    plan = plan_for_gpu(asked, context, free_mib)

    assert 1 <= plan.slots <= MOST_SLOTS
    assert plan.context_per_slot == context
    if plan.slots > 1:
        assert needed_mib(asked, plan.slots, context) <= free_mib
    if plan.slots < MOST_SLOTS:
        assert needed_mib(asked, plan.slots + 1, context) + 256 > free_mib


@given(free_mib=st.none() | st.integers(0, 20_000), trained=st.integers(256, 9000) | st.none())
def test_texts_get_what_training_and_memory_leave(
    free_mib: int | None, trained: int | None
) -> None:
    asked = model(context_length=trained)
    room = with_room_for_texts(asked, 1, 1536, 4096, free_mib)

    assert 1536 <= room <= max(1536, min(4096, trained or 0))
    if room > 1536:
        assert room % 256 == 0
        assert free_mib is None or needed_mib(asked, 1, room) + 256 <= free_mib
    if trained and trained >= 4096 and (free_mib is None or free_mib > 8000):
        assert room == 4096


def test_a_model_that_does_not_tell_its_shape_gets_no_room_for_texts_on_a_gpu() -> None:
    asked = model(context_length=8192, block_count=None)
    assert with_room_for_texts(asked, 1, 1536, 4096, 80_000) == 1536
    assert with_room_for_texts(asked, 1, 1536, 4096, None) == 4096


def test_a_model_that_does_not_tell_its_shape_gets_one_slot() -> None:
    plan = plan_for_gpu(model(block_count=None), 2048, 80_000)

    assert plan.slots == 1
    assert "does not tell" in plan.why


@pytest.mark.parametrize(("cores", "slots"), [(0, 1), (1, 2), (2, 4), (4, 8), (64, 8)])
def test_a_cpu_gets_two_slots_a_core(cores: int, slots: int) -> None:
    assert plan_for_cpu(2048, cores).slots == slots
