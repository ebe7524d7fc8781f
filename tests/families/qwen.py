"""Qwen2.5-VL: as many tokens as a picture's size asks for, up to a limit."""

from __future__ import annotations

from dataclasses import replace

from families.family import Family
from families.templates import chatml
from families.text import TextModel, attention_biases
from families.vision import VisionTower, linear, norm, patch_embedding
from families.writing import Noise, Tensors

QWEN_MARKS = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_MERGED = 4  # patches that become one token, two by two
_TEXT = TextModel(
    "qwen2vl",
    chatml("<|vision_start|><|image_pad|><|vision_end|>", system="You are a helpful assistant."),
    context=128000,
    eos="<|im_end|>",
    adds_bos=False,
    adds_space=False,
    marks=QWEN_MARKS,
    # Half a head's width, shared by time, height and width.
    metadata={"rope.dimension_sections": [2, 3, 3, 0], "rope.freq_base": 1e6},
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    merged = tower.width * _MERGED
    return {
        "v.patch_embd.weight.1": patch_embedding(noise, tower),  # of the second of two frames
        **norm("v.post_ln", tower.width, bias=False),
        **linear(noise, "mm.0", merged, merged),
        **linear(noise, "mm.2", tower.text_width, merged),
    }


QWEN25VL = Family(
    "Qwen2.5-VL",
    replace(_TEXT, more=attention_biases(_TEXT)),
    VisionTower(
        "qwen2.5vl_merger",
        image_size=560,
        patch=14,
        projection=_projection,
        width=32,
        layers=2,  # one that looks at a window, one at the whole picture
        heads=1,
        hidden=64,
        activation="silu",
        norms_have_bias=False,
        is_gated=True,
        positions=0,
        metadata={"clip.vision.n_wa_pattern": 2, "clip.vision.spatial_merge_size": 2},
    ),
)
