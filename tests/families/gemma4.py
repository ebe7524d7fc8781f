"""Gemma 4: nine patches a token, windowed attention, and the tokens of a picture see each other.

They must therefore be computed at once: a server aborts if its physical batch is smaller.
"""

from __future__ import annotations

import numpy as np

from families.family import Family
from families.templates import parts
from families.text import TextModel, plain_layer, query_key_norms
from families.vision import VisionTower, linear, norm
from families.writing import Noise, Tensors

_POSITIONS = 10240  # per axis
_HEAD = 16

_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|turn>{{ 'model' if message.role == 'assistant' else message.role }}\n"
    f"{parts('<|image|>')}<turn|>\n{{% endfor %}}"
    "{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    positions = noise.weights(2, _POSITIONS, tower.width) * _POSITIONS**0.5
    head = tower.width // tower.heads
    return {
        "v.position_embd.weight": positions.astype(np.float16),
        **norm("v.blk.0.attn_q_norm", head, bias=False),
        **norm("v.blk.0.attn_k_norm", head, bias=False),
        **norm("v.blk.0.attn_post_norm", tower.width, bias=False),
        **norm("v.blk.0.ffn_post_norm", tower.width, bias=False),
        **linear(noise, "mm.input_projection", tower.text_width, tower.width, bias=False),
    }


def _layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    norms = ("post_attention_norm", "post_ffw_norm")
    tensors = plain_layer(noise, text, layer) | query_key_norms(text, layer)
    tensors |= {f"blk.{layer}.{name}.weight": np.ones(text.width, np.float32) for name in norms}
    return tensors | {"rope_freqs.weight": np.ones(text.head_width // 2, np.float32)}


GEMMA_4 = Family(
    "Gemma 4",
    TextModel(
        "gemma4",
        _TEMPLATE,
        bos="<bos>",
        eos="<turn|>",
        head_width=_HEAD,
        adds_space=False,
        marks=("<|turn>", "<|image>", "<|image|>", "<image|>"),
        metadata={
            "attention.sliding_window": 512,
            "attention.sliding_window_pattern": [True, False],
            "attention.key_length_swa": _HEAD,
            "attention.value_length_swa": _HEAD,
            "attention.key_length": _HEAD,
            "attention.value_length": _HEAD,
            "attention.shared_kv_layers": 0,
            "embedding_length_per_layer_input": 0,
            "rope.dimension_count_swa": _HEAD,
            "rope.freq_base": 1e6,
            "rope.freq_base_swa": 1e4,
        },
        layer=_layer,
    ),
    VisionTower(
        "gemma4v",
        image_size=224,
        patch=16,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        mean=[0.0, 0.0, 0.0],
        deviation=[1.0, 1.0, 1.0],
        norms_have_bias=False,
        is_gated=True,
        positions=0,
        metadata={"clip.vision.projector.scale_factor": 3},
    ),
)
