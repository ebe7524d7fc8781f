"""GLM-4.1V: pictures at their own size up to 4096 tokens, positions in three dimensions."""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import parts
from families.text import TextModel, attention
from families.vision import CLIP_MEAN, CLIP_STD, VisionTower, linear, norm, patch_embedding
from families.writing import Noise, Tensors, residual

_TEMPLATE = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n"
    f"{parts('<|begin_of_image|><|image|><|end_of_image|>')}{{% endfor %}}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    width, text = tower.width, tower.text_width
    return {
        "v.patch_embd.weight.1": patch_embedding(noise, tower),  # of the second frame of a pair
        "v.patch_embd.bias": np.zeros(width, np.float32),
        **norm("v.norm_embd", width, bias=False),
        **norm("v.post_ln", width, bias=False),
        "mm.patch_merger.weight": noise.weights(text, width, 2, 2).astype(np.float16),
        "mm.patch_merger.bias": np.zeros(text, np.float32),
        **linear(noise, "mm.model.fc", text, text, bias=False),
        **norm("mm.post_norm", text),
        **linear(noise, "mm.gate", tower.hidden, text, bias=False),
        **linear(noise, "mm.up", tower.hidden, text, bias=False),
        **linear(noise, "mm.down", text, tower.hidden, bias=False),
    }


def _layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    width, hidden = text.width, text.hidden
    norms = ("post_attention_norm", "ffn_norm", "post_ffw_norm")
    return {
        **attention(noise, text, layer),
        **{f"blk.{layer}.{name}.weight": np.ones(width, np.float32) for name in norms},
        f"blk.{layer}.ffn_up.weight": noise.weights(2 * hidden, width),  # values and gates
        f"blk.{layer}.ffn_down.weight": residual(noise, width, hidden),
    }


GLM_4V = Family(
    "GLM-4.1V",
    TextModel(
        "glm4",
        _TEMPLATE,
        layers=1,
        heads=2,
        head_width=32,
        bos="<|endoftext|>",
        eos="<|user|>",
        adds_bos=False,
        adds_space=False,
        marks=(
            "[gMASK]",
            "<sop>",
            "<|system|>",
            "<|assistant|>",
            "<|begin_of_image|>",
            "<|image|>",
            "<|end_of_image|>",
        ),
        metadata={
            "rope.dimension_count": 16,  # half of a head's
            "rope.dimension_sections": [2, 3, 3, 0],
        },
        layer=_layer,
    ),
    VisionTower(
        "glm4v",
        image_size=336,
        patch=14,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        mean=CLIP_MEAN,
        deviation=CLIP_STD,
        activation="silu",
        norms_have_bias=False,
        is_gated=True,
        metadata={"clip.vision.spatial_merge_size": 2},
    ),
)
