"""Chooses how many slots llama-server gets: how many pictures it describes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cinecut.inference.model.picture_tokens import PictureTokens
from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.vram import VRAM_MINIMUM_MIB

MOST_SLOTS: Final = 16
"""More than this pays little: pictures are encoded one after the other."""

_FEW_SLOTS: Final = 3
_STEP_TOKENS: Final = 256  # a slot has a multiple of it
_BATCH_TOKENS: Final = 512  # llama-server's own
_LARGE_BATCH_TOKENS: Final = 2048  # 6 % faster at 16 slots
# Measured with a 7B model on one GPU over 1 to 64 slots, to within 30 MiB: 650 MiB after loading
# and 125 MiB more once the first picture has been encoded: 96 for a batch, 18 for the tower.
_SCRATCH_MIB: Final = 650 + 125 - 96 - 18
_SPARE_MIB: Final = 256  # for what else draws on the same GPU


@dataclass(frozen=True)
class SlotPlan:
    """The number of slots and why."""

    slots: int
    context_per_slot: int
    """Tokens of context that each slot has to itself."""
    why: str


def batch_tokens(picture: PictureTokens, slots: int) -> int:
    """Return how many tokens of all slots a GPU should work on at once.

    Never fewer than a picture has whose tokens must be in one batch.
    """
    usual = _LARGE_BATCH_TOKENS if slots > _FEW_SLOTS else _BATCH_TOKENS
    whole = -(-picture.most // _STEP_TOKENS) * _STEP_TOKENS
    return max(usual, whole) if picture.is_one_batch else usual


def needed_mib(model: VisionModel, slots: int, context_per_slot: int) -> int:
    """Return the GPU memory in MiB that the model needs with so many slots.

    Model file + mmproj file + each slot's context + a batch + a picture + scratch; for a 7B model
    or a larger one never under VRAM_MINIMUM_MIB.
    """
    batch = batch_tokens(model.picture, slots)
    kept_mib = slots * (model.slot_mib(context_per_slot, batch) or 0.0)
    computing_mib = model.batch_mib(batch) + model.tower_mib + _SCRATCH_MIB
    estimate = round(model.weights_mib + kept_mib + computing_mib)
    return max(estimate, VRAM_MINIMUM_MIB) if model.is_seven_b_or_more else estimate


def with_room_for_texts(
    model: VisionModel, slots: int, context: int, wanted: int, free_mib: int | None
) -> int:
    """Return `wanted` tokens of context a slot, or as many of them as there may be.

    No more than the model was trained for, no more than the free memory of the GPU holds, and never
    fewer than `context`, which a picture needs. None for `free_mib` is main memory.
    """
    most = min(wanted, model.trained_context or context) // _STEP_TOKENS * _STEP_TOKENS
    if free_mib is not None and model.slot_mib(most, _BATCH_TOKENS) is None:
        return context
    while free_mib is not None and most > context:
        if needed_mib(model, slots, most) + _SPARE_MIB <= free_mib:
            break
        most -= _STEP_TOKENS
    return max(context, most)


def plan_for_gpu(model: VisionModel, context_per_slot: int, free_mib: int) -> SlotPlan:
    """Return as many slots as fit into the free memory of the GPU."""
    slot_mib = model.slot_mib(context_per_slot, _BATCH_TOKENS)
    if slot_mib is None:
        return SlotPlan(1, context_per_slot, "the model does not tell what a slot costs")
    slots = MOST_SLOTS
    while slots > 1 and needed_mib(model, slots, context_per_slot) + _SPARE_MIB > free_mib:
        slots -= 1
    return SlotPlan(
        slots, context_per_slot, f"{slot_mib:.0f} MiB a slot, {free_mib} MiB free on the GPU"
    )


def plan_for_cpu(context_per_slot: int, cores: int) -> SlotPlan:
    """Return two slots a core: one slot's text is made while another's picture is encoded."""
    slots = max(1, min(2 * cores, MOST_SLOTS // 2))
    return SlotPlan(slots, context_per_slot, f"{cores} CPU cores")
