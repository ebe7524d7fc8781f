"""Gemma 3: every picture becomes 256 tokens; five layers of six look at a window only."""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import parts
from families.text import TextModel
from families.vision import VisionTower, norm
from families.writing import Noise, Tensors

_HEAD_WIDTH = 32
_TEMPLATE = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{% set first = messages[0].content + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('The roles must take turns.') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n"
    "{% if loop.first %}{{ first }}{% endif %}"
    f"{parts('<start_of_image>')}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def _norms(_: Noise, layer: int) -> Tensors:
    return {
        f"blk.{layer}.attn_q_norm.weight": np.ones(_HEAD_WIDTH, np.float32),
        f"blk.{layer}.attn_k_norm.weight": np.ones(_HEAD_WIDTH, np.float32),
        **norm(f"blk.{layer}.post_attention_norm", TextModel.width, bias=False),
        **norm(f"blk.{layer}.post_ffw_norm", TextModel.width, bias=False),
    }


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    return {
        **norm("v.post_ln", tower.width),
        **norm("mm.soft_emb_norm", tower.width, bias=False),
        "mm.input_projection.weight": noise.weights(tower.text_width, tower.width).T.copy(),
    }


GEMMA3 = Family(
    "Gemma 3",
    TextModel(
        "gemma3",
        _TEMPLATE,
        layers=6,
        head_width=_HEAD_WIDTH,  # as there, more in all heads than the model's width
        context=131072,
        bos="<bos>",
        eos="<end_of_turn>",
        adds_space=False,
        marks=("<start_of_turn>", "<start_of_image>", "<end_of_image>"),
        metadata={"attention.sliding_window": 1024, "rope.freq_base": 1e6},
        more=_norms,
    ),
    VisionTower(
        "gemma3",
        image_size=896,
        patch=14,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        metadata={"clip.vision.projector.scale_factor": 4},
    ),
)
