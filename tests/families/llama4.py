"""Llama 4: tiles of 336 pixels and the whole picture, experts, a layer without positions."""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import parts
from families.text import TextModel, attention, plain_layer
from families.vision import VisionTower, linear, norm, patch_embedding
from families.writing import Noise, Tensors, residual

_SIDE, _PATCH = 336, 14
_STEP, _EXPERTS, _EXPERT_HIDDEN = 4, 16, 32

_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|header_start|>{{ message.role }}<|header_end|>\n\n"
    f"{parts('<|image_start|><|image|><|image_end|>')}<|eot|>{{% endfor %}}"
    "{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    width, hidden = tower.width, tower.hidden
    return {
        "v.class_embd": noise.normal(width),
        "v.patch_embd.weight": patch_embedding(noise, tower).reshape(width, -1),
        **norm("v.pre_ln", width),
        **norm("v.post_ln", width),
        **linear(noise, "mm.model.mlp.1", hidden, 4 * width, bias=False),
        **linear(noise, "mm.model.mlp.2", hidden, hidden, bias=False),
        **linear(noise, "mm.model.fc", tower.text_width, hidden, bias=False),
    }


def _layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    if (layer + 1) % _STEP:
        return plain_layer(noise, text, layer)
    width, hidden = text.width, _EXPERT_HIDDEN
    down = [residual(noise, width, hidden) for _ in range(_EXPERTS)]
    return {
        **attention(noise, text, layer),
        f"blk.{layer}.ffn_norm.weight": np.ones(width, np.float32),
        f"blk.{layer}.ffn_gate_inp.weight": noise.weights(_EXPERTS, width),
        f"blk.{layer}.ffn_gate_exps.weight": noise.weights(_EXPERTS, hidden, width),
        f"blk.{layer}.ffn_up_exps.weight": noise.weights(_EXPERTS, hidden, width),
        f"blk.{layer}.ffn_down_exps.weight": np.stack(down),
        f"blk.{layer}.ffn_gate_shexp.weight": noise.weights(hidden, width),
        f"blk.{layer}.ffn_up_shexp.weight": noise.weights(hidden, width),
        f"blk.{layer}.ffn_down_shexp.weight": residual(noise, width, hidden),
    }


LLAMA_4 = Family(
    "Llama 4",
    TextModel(
        "llama4",
        _TEMPLATE,
        layers=_STEP,  # the last of four has no positions, and llama.cpp wants such a one
        bos="<|begin_of_text|>",
        eos="<|eot|>",
        adds_space=False,
        marks=(
            "<|header_start|>",
            "<|header_end|>",
            "<|image_start|>",
            "<|image|>",
            "<|image_end|>",
        ),
        metadata={
            "expert_count": _EXPERTS,
            "expert_used_count": 1,
            "expert_feed_forward_length": _EXPERT_HIDDEN,
            "interleave_moe_layer_step": _STEP,
        },
        layer=_layer,
    ),
    VisionTower(
        "llama4",
        image_size=_SIDE,
        patch=_PATCH,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        positions=(_SIDE // _PATCH) ** 2 + 1,
        metadata={"clip.vision.projector.scale_factor": 2},
    ),
)
