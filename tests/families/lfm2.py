"""LFM2-VL: large pictures in tiles of 512 pixels and a small whole; short convolutions."""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import chatml
from families.text import TextModel, network, plain_layer, query_key_norms
from families.vision import VisionTower, linear, norm
from families.writing import Noise, Tensors, residual

_MERGE = 2
_KERNEL = 3
_MOST_TILES = 10
_TILES = tuple(
    f"<|img_row_{row}_col_{column}|>"
    for row in range(1, _MOST_TILES + 1)
    for column in range(1, _MOST_TILES // row + 1)
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    merged = _MERGE**2 * tower.width
    return {
        "v.patch_embd.bias": np.zeros(tower.width, np.float32),
        **norm("v.post_ln", tower.width),
        **norm("mm.input_norm", merged),
        **linear(noise, "mm.1", tower.hidden, merged),
        **linear(noise, "mm.2", tower.text_width, tower.hidden),
    }


def _layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    if text.metadata["attention.head_count_kv"][layer]:
        return plain_layer(noise, text, layer) | query_key_norms(text, layer)
    width = text.width
    return {
        f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
        f"blk.{layer}.shortconv.conv.weight": noise.weights(width, _KERNEL),
        f"blk.{layer}.shortconv.in_proj.weight": noise.weights(3 * width, width),
        f"blk.{layer}.shortconv.out_proj.weight": residual(noise, width, width),
        **network(noise, text, layer),
    }


LFM2_VL = Family(
    "LFM2-VL",
    TextModel(
        "lfm2",
        "{{ bos_token }}" + chatml("<image>"),
        bos="<|startoftext|>",
        eos="<|im_end|>",
        adds_space=False,
        marks=(
            "<|im_start|>",
            "<image>",
            "<|image_start|>",
            "<|image_end|>",
            "<|img_thumbnail|>",
            *_TILES,
        ),
        metadata={
            "attention.head_count_kv": [0, 2],  # none: a layer of short convolutions
            "shortconv.l_cache": _KERNEL,
            "rope.freq_base": 1e6,
        },
        layer=_layer,
        last_norm="token_embd_norm",
    ),
    VisionTower(
        "lfm2",
        image_size=256,
        patch=16,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        metadata={"clip.vision.projector.scale_factor": _MERGE},
    ),
)
