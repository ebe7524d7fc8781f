"""LLaVA-1.5, one square a picture, and LLaVA-1.6, tiles of a size from a list and an overview."""

from __future__ import annotations

from dataclasses import replace

from families.family import Family
from families.text import TextModel
from families.vision import CLIP_MEAN, CLIP_STD, VisionTower, linear, norm
from families.writing import Noise, Tensors

_SIDE, _PATCH = 336, 14  # CLIP ViT-L/14-336, hence LLaVA's 576 tokens a picture
_TILES = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))

VICUNA = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}ASSISTANT: {{ message['content'] }}</s>\n"
    "{% else %}{{ message['content'] }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The turn markers of Vicuna, which LLaVA-1.5 was trained on."""
_MISTRAL = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] }}</s>"
    "{% else %}[INST] {{ message['content'] }} [/INST]{% endif %}"
    "{% endfor %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    return {
        "v.class_embd": noise.normal(tower.width),
        **norm("v.pre_ln", tower.width),
        **norm("v.post_ln", tower.width),
        **linear(noise, "mm.0", tower.text_width, tower.width),
        **linear(noise, "mm.2", tower.text_width, tower.text_width),
    }


def _projection_with_newline(noise: Noise, tower: VisionTower) -> Tensors:
    return _projection(noise, tower) | {"v.image_newline": noise.normal(tower.text_width)}


_CLIP = VisionTower(
    "mlp",
    image_size=_SIDE,
    patch=_PATCH,
    projection=_projection,
    layers=2,  # the last one is left out
    mean=CLIP_MEAN,
    deviation=CLIP_STD,
    activation=None,
    positions=(_SIDE // _PATCH) ** 2 + 1,
    metadata={"clip.has_llava_projector": True},
)

LLAVA = Family("LLaVA-1.5", TextModel("llama", VICUNA, kv_heads=4, context=4096), _CLIP)

LLAVA_NEXT = Family(
    "LLaVA-1.6",
    TextModel("llama", _MISTRAL),
    replace(
        _CLIP,
        projection=_projection_with_newline,
        metadata={
            **_CLIP.metadata,
            "clip.vision.image_grid_pinpoints": [_SIDE * side for size in _TILES for side in size],
            "clip.vision.mm_patch_merge_type": "spatial_unpad",
        },
    ),
)
