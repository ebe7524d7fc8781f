"""Qwen3-VL and Qwen3.5: patches of 16 merged by four, positions in three dimensions.

Qwen3-VL adds features of the tower's inner layers to the first layers of the language model;
Qwen3.5 remembers in most layers by a gated delta rule and attends in full in every n-th.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from families.family import Family
from families.templates import chatml, parts
from families.text import TextModel, attention, network, plain_layer, query_key_norms
from families.thoughts import BLOCK, BLOCK_MARKS, ENABLED_OR_NOT
from families.vision import VisionTower, linear, norm, patch_embedding
from families.writing import Noise, Tensors, residual

_MARKS = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
_STATE = 32  # the width of a head of the delta rule, whose kernels are made for such

_QWEN35 = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and message.reasoning_content is string %}"
    "<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    f"{parts(_PICTURE)}<|im_end|>\n{{% endfor %}}"
    f"{{% if add_generation_prompt %}}<|im_start|>assistant\n{ENABLED_OR_NOT}{{% endif %}}"
)


def _merger(noise: Noise, tower: VisionTower) -> Tensors:
    width, merged = tower.width, 4 * tower.width
    return {
        "v.patch_embd.weight.1": patch_embedding(noise, tower),  # of the second frame of a pair
        "v.patch_embd.bias": np.zeros(width, np.float32),
        **norm("v.post_ln", width),
        **linear(noise, "v.blk.0.attn_qkv", 3 * width, width),
        **linear(noise, "mm.0", tower.hidden, merged),
        **linear(noise, "mm.2", tower.text_width, tower.hidden),
    }


def _merger_with_deepstack(noise: Noise, tower: VisionTower) -> Tensors:
    return {
        **_merger(noise, tower),
        **norm("v.deepstack.0.norm", 4 * tower.width),
        **linear(noise, "v.deepstack.0.fc1", tower.hidden, 4 * tower.width),
        **linear(noise, "v.deepstack.0.fc2", tower.text_width, tower.hidden),
    }


def _tower(projection: Callable[[Noise, VisionTower], Tensors]) -> VisionTower:
    return VisionTower(
        "qwen3vl_merger",
        image_size=768,
        patch=16,
        projection=projection,
        width=32,
        heads=1,
        hidden=64,
        metadata={"clip.vision.spatial_merge_size": 2},
    )


def _qwen3_layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    return plain_layer(noise, text, layer) | query_key_norms(text, layer)


def _qwen35_layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    rest = network(noise, text, layer, norm="post_attention_norm")
    is_full = (layer + 1) % text.metadata["full_attention_interval"] == 0
    return rest | (_full_attention if is_full else _delta_net)(noise, text, layer)


def _full_attention(noise: Noise, text: TextModel, layer: int) -> Tensors:
    inner = text.heads * text.head_width
    return {
        **attention(noise, text, layer),
        **query_key_norms(text, layer),
        f"blk.{layer}.attn_q.weight": noise.weights(2 * inner, text.width),  # queries and gates
    }


def _delta_net(noise: Noise, text: TextModel, layer: int) -> Tensors:
    width, heads = text.width, text.metadata["ssm.time_step_rank"]
    inner = heads * _STATE
    return {
        f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
        f"blk.{layer}.attn_qkv.weight": noise.weights(3 * inner, width),
        f"blk.{layer}.attn_gate.weight": noise.weights(inner, width),
        f"blk.{layer}.ssm_conv1d.weight": noise.weights(3 * inner, 4),
        f"blk.{layer}.ssm_dt.bias": np.zeros(heads, np.float32),
        f"blk.{layer}.ssm_a": -np.ones(heads, np.float32),
        f"blk.{layer}.ssm_alpha.weight": noise.weights(heads, width),
        f"blk.{layer}.ssm_beta.weight": noise.weights(heads, width),
        f"blk.{layer}.ssm_norm.weight": np.ones(_STATE, np.float32),
        f"blk.{layer}.ssm_out.weight": residual(noise, width, inner),
    }


QWEN3_VL = Family(
    "Qwen3-VL",
    TextModel(
        "qwen3vl",
        chatml(_PICTURE),
        heads=2,
        head_width=32,
        bos="<|endoftext|>",
        eos="<|im_end|>",
        adds_bos=False,
        adds_space=False,
        marks=_MARKS,
        metadata={
            "rope.dimension_sections": [6, 5, 5, 0],
            "rope.freq_base": 5e6,
            "n_deepstack_layers": 1,
        },
        layer=_qwen3_layer,
    ),
    replace(
        _tower(_merger_with_deepstack),
        metadata={
            "clip.vision.spatial_merge_size": 2,
            "clip.vision.is_deepstack_layers": [True],
        },
    ),
)

QWEN3_5 = Family(
    "Qwen3.5",
    TextModel(
        "qwen35",
        _QWEN35,
        heads=2,
        head_width=32,
        bos="<|endoftext|>",
        eos="<|im_end|>",
        adds_bos=False,
        adds_space=False,
        marks=_MARKS,
        shown_marks=BLOCK_MARKS,
        follows=BLOCK,
        metadata={
            "rope.dimension_count": 16,  # half of a head's
            "rope.dimension_sections": [3, 3, 2, 0],
            "rope.freq_base": 1e7,
            "full_attention_interval": 2,
            "ssm.conv_kernel": 4,
            "ssm.group_count": 2,
            "ssm.inner_size": 2 * _STATE,
            "ssm.state_size": _STATE,
            "ssm.time_step_rank": 2,
        },
        layer=_qwen35_layer,
    ),
    _tower(_merger),
)
