"""Chooses how many slots llama-server gets: how many pictures it describes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.vram import VRAM_MINIMUM_MIB

MOST_SLOTS: Final = 16
"""More than this pays little: pictures are encoded one after the other."""

# Measured with a 7B model on one GPU over 1 to 64 slots, to within 30 MiB: 650 MiB after loading
# and 125 MiB more once the first picture has been encoded.
_SCRATCH_MIB: Final = 650 + 125
_SPARE_MIB: Final = 256  # for what else draws on the same GPU


@dataclass(frozen=True)
class SlotPlan:
    """The number of slots and why."""

    slots: int
    context_per_slot: int
    """Tokens of context that each slot has to itself."""
    why: str


def needed_mib(model: VisionModel, context_tokens: int) -> int:
    """Return the GPU memory in MiB that the model needs with so much context in all.

    Model file + mmproj file + context x KV per token + scratch; for a 7B model or a larger one
    never under VRAM_MINIMUM_MIB.
    """
    kv_mib = context_tokens * (model.kv_mib_per_token or 0.0)
    estimate = round(model.weights_mib + kv_mib + _SCRATCH_MIB)
    return max(estimate, VRAM_MINIMUM_MIB) if model.is_seven_b_or_more else estimate


def plan_for_gpu(model: VisionModel, context_per_slot: int, free_mib: int) -> SlotPlan:
    """Return as many slots as fit into the free memory of the GPU."""
    if model.kv_mib_per_token is None:
        return SlotPlan(1, context_per_slot, "the model does not tell what a slot costs")
    slots = MOST_SLOTS
    while slots > 1 and needed_mib(model, slots * context_per_slot) + _SPARE_MIB > free_mib:
        slots -= 1
    slot_mib = context_per_slot * model.kv_mib_per_token
    return SlotPlan(
        slots, context_per_slot, f"{slot_mib:.0f} MiB a slot, {free_mib} MiB free on the GPU"
    )


def plan_for_cpu(context_per_slot: int, cores: int) -> SlotPlan:
    """Return two slots a core: one slot's text is made while another's picture is encoded."""
    slots = max(1, min(2 * cores, MOST_SLOTS // 2))
    return SlotPlan(slots, context_per_slot, f"{cores} CPU cores")
