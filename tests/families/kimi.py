"""Kimi-VL: pictures at their own size up to 1024 tokens, a language model of latent attention."""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import parts
from families.text import TextModel, network
from families.vision import VisionTower, linear, norm
from families.writing import Noise, Tensors, residual

_LATENT, _PLAIN, _TURNED = 32, 32, 16
"""Widths of the latent vector, and of the parts of a head without positions and with them."""

_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_{{ message.role }}|>{{ message.role }}<|im_middle|>"
    f"{parts('<|media_start|><|media_pad|><|media_end|>')}<|im_end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    return {
        "v.patch_embd.bias": np.zeros(tower.width, np.float32),
        **norm("v.post_ln", tower.width),
        **norm("mm.input_norm", tower.width),
        **linear(noise, "mm.1", tower.hidden, 4 * tower.width),
        **linear(noise, "mm.2", tower.text_width, tower.hidden),
    }


def _layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    width, heads = text.width, text.heads
    return {
        f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
        f"blk.{layer}.attn_q_a.weight": noise.weights(_LATENT, width),
        f"blk.{layer}.attn_q_a_norm.weight": np.ones(_LATENT, np.float32),
        f"blk.{layer}.attn_q_b.weight": noise.weights(heads * (_PLAIN + _TURNED), _LATENT),
        f"blk.{layer}.attn_kv_a_mqa.weight": noise.weights(_LATENT + _TURNED, width),
        f"blk.{layer}.attn_kv_a_norm.weight": np.ones(_LATENT, np.float32),
        f"blk.{layer}.attn_k_b.weight": noise.weights(heads, _LATENT, _PLAIN),
        f"blk.{layer}.attn_v_b.weight": noise.weights(heads, _PLAIN, _LATENT),
        f"blk.{layer}.attn_output.weight": residual(noise, width, heads * _PLAIN),
        **network(noise, text, layer),
    }


KIMI_VL = Family(
    "Kimi-VL",
    TextModel(
        "deepseek2",
        _TEMPLATE,
        layers=1,
        heads=2,
        kv_heads=1,
        bos="[BOS]",
        eos="<|im_end|>",
        adds_bos=False,
        adds_space=False,
        marks=(
            "<|im_system|>",
            "<|im_user|>",
            "<|im_assistant|>",
            "<|im_middle|>",
            "<|media_start|>",
            "<|media_pad|>",
            "<|media_end|>",
        ),
        metadata={
            "attention.q_lora_rank": _LATENT,
            "attention.kv_lora_rank": _LATENT,
            "attention.key_length": _LATENT + _TURNED,
            "attention.value_length": _LATENT,
            "attention.key_length_mla": _PLAIN + _TURNED,
            "attention.value_length_mla": _PLAIN,
            "rope.dimension_count": _TURNED,
            "leading_dense_block_count": 1,  # so none has experts, which the reader asks for
            "expert_count": 2,
            "expert_used_count": 1,
            "expert_shared_count": 1,
            "expert_feed_forward_length": 32,
        },
        layer=_layer,
    ),
    VisionTower(
        "kimivl",
        image_size=896,
        patch=14,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        metadata={"clip.vision.projector.scale_factor": 2},
    ),
)
