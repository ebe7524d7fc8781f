"""MiniCPM-V 2.6: an overview and up to 9 slices of 64 tokens, each with marks round it."""

from __future__ import annotations

from dataclasses import replace

from families.family import Family
from families.templates import chatml
from families.text import TextModel, attention_biases
from families.vision import VisionTower, linear, norm
from families.writing import Noise, SignedInt, Tensors

_QUERIES = 64
_HEAD_WIDTH = 128  # of the resampler in every size of the family
_TEXT = TextModel(
    "qwen2",
    chatml("(<image>./</image>)\n", system="You are a helpful assistant."),
    width=_HEAD_WIDTH,
    head_width=32,
    eos="<|im_end|>",
    adds_bos=False,
    adds_space=False,
    marks=("<|im_start|>", "<image>", "</image>", "<slice>", "</slice>"),
)


def _resampler(noise: Noise, tower: VisionTower) -> Tensors:
    width = tower.text_width
    tensors = {
        **norm("v.post_ln", tower.width),
        "resampler.query": noise.normal(_QUERIES, width),
        "resampler.pos_embed_k": noise.normal(_QUERIES, width),
        **linear(noise, "resampler.kv", width, tower.width, bias=False),
        **linear(noise, "resampler.proj", width, width, bias=False),
    }
    for part in ("q", "k", "v", "out"):
        tensors |= linear(noise, f"resampler.attn.{part}", width, width)
    for part in ("q", "kv", "post"):
        tensors |= norm(f"resampler.ln_{part}", width)
    return tensors


MINICPM_V = Family(
    "MiniCPM-V 2.6",
    replace(_TEXT, more=attention_biases(_TEXT)),
    VisionTower(
        "resampler",
        image_size=448,
        patch=14,
        projection=_resampler,
        width=32,
        heads=1,
        hidden=64,
        text_width=_HEAD_WIDTH,
        positions=70**2,
        metadata={
            "clip.minicpmv_version": SignedInt(3),
            "clip.minicpmv_query_num": _QUERIES,
        },
    ),
)
