"""InternVL3: an overview and up to 12 tiles, whatever limit is set for a picture."""

from __future__ import annotations

from dataclasses import replace

from families.family import Family
from families.templates import chatml
from families.text import TextModel, attention_biases
from families.vision import VisionTower, linear, norm
from families.writing import Noise, Tensors

_SCALE = 2
_SIDE, _PATCH = 448, 14
_TEXT = TextModel(
    "qwen2",
    chatml("<image>\n"),
    eos="<|im_end|>",
    adds_bos=False,
    adds_space=False,
    marks=("<|im_start|>", "<img>", "</img>", "<IMG_CONTEXT>"),
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    merged = tower.width * _SCALE**2
    tensors = {
        "v.class_embd": noise.normal(tower.width),
        **norm("mm.model.mlp.0", merged),
        **linear(noise, "mm.model.mlp.1", tower.text_width, merged),
        **linear(noise, "mm.model.mlp.3", tower.text_width, tower.text_width),
    }
    for layer in range(tower.layers):
        tensors |= norm(f"v.blk.{layer}.ls1", tower.width, bias=False)
        tensors |= norm(f"v.blk.{layer}.ls2", tower.width, bias=False)
    return tensors


INTERNVL3 = Family(
    "InternVL3",
    replace(_TEXT, more=attention_biases(_TEXT)),
    VisionTower(
        "internvl",
        image_size=_SIDE,
        patch=_PATCH,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        positions=(_SIDE // _PATCH) ** 2 + 1,
        metadata={
            "clip.vision.projector.scale_factor": _SCALE,
            "clip.vision.preproc_min_tiles": 1,
            "clip.vision.preproc_max_tiles": 12,
        },
    ),
)
