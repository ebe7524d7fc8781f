"""Writes the vision half of a family: its picture sizes and its projector on a tiny tower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from families.text import WIDTH
from families.writing import Noise, Tensors, write_gguf

CLIP_MEAN, CLIP_STD = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
)
HALVES = [0.5, 0.5, 0.5]
"""Mean and deviation of the colours for SigLIP."""


@dataclass(frozen=True)
class VisionTower:
    """A transformer over the patches of a picture."""

    projector: str
    image_size: int
    patch: int
    projection: Callable[[Noise, VisionTower], Tensors]
    """The tensors between the tower and the language model, and what else a family has."""
    width: int = 64
    layers: int = 1
    heads: int = 2
    hidden: int = 128
    text_width: int = WIDTH
    mean: list[float] = field(default_factory=lambda: HALVES)
    deviation: list[float] = field(default_factory=lambda: HALVES)
    activation: str | None = "gelu"
    """`gelu`, `silu` or, with None, CLIP's approximation."""
    norms_have_bias: bool = True
    is_gated: bool = False
    """Whether the network after the attention has a gate."""
    positions: int | None = None
    """How many positions are learned; None: one a patch, 0: none are."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Entries of its own, their keys in full."""


def write_mmproj(path: Path, tower: VisionTower, *, name: str, seed: int = 20210226) -> Path:
    """Write the tower and its projector as a GGUF file at `path` and return `path`."""
    metadata = {
        "general.name": name,
        "clip.has_vision_encoder": True,
        "clip.projector_type": tower.projector,
        "clip.vision.image_size": tower.image_size,
        "clip.vision.patch_size": tower.patch,
        "clip.vision.embedding_length": tower.width,
        "clip.vision.feed_forward_length": tower.hidden,
        "clip.vision.projection_dim": tower.text_width,
        "clip.vision.block_count": tower.layers,
        "clip.vision.attention.head_count": tower.heads,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.image_mean": tower.mean,
        "clip.vision.image_std": tower.deviation,
    }
    if tower.activation is not None:
        metadata[f"clip.use_{tower.activation}"] = True
    noise = Noise(seed)
    tensors = {"v.patch_embd.weight": patch_embedding(noise, tower)}
    positions = tower.positions
    if positions is None:
        positions = (tower.image_size // tower.patch) ** 2
    if positions:
        tensors["v.position_embd.weight"] = noise.weights(positions, tower.width)
    for layer in range(tower.layers):
        tensors |= _layer(noise, tower, layer)
    tensors |= tower.projection(noise, tower)
    write_gguf(path, "clip", {**metadata, **tower.metadata}, tensors)
    return path


def patch_embedding(noise: Noise, tower: VisionTower) -> np.ndarray:
    """Return the convolution that makes a patch of RGB pixels a vector."""
    return noise.weights(tower.width, 3, tower.patch, tower.patch).astype(np.float16)


def linear(noise: Noise, name: str, outputs: int, inputs: int, *, bias: bool = True) -> Tensors:
    """Return weight and bias of a linear map."""
    tensors = {f"{name}.weight": noise.weights(outputs, inputs).astype(np.float16)}
    if bias:
        tensors[f"{name}.bias"] = np.zeros(outputs, np.float32)
    return tensors


def norm(name: str, width: int, *, bias: bool = True) -> Tensors:
    """Return weight and bias of a norm that changes nothing."""
    tensors = {f"{name}.weight": np.ones(width, np.float32)}
    if bias:
        tensors[f"{name}.bias"] = np.zeros(width, np.float32)
    return tensors


def _layer(noise: Noise, tower: VisionTower, layer: int) -> Tensors:
    name, width, hidden = f"v.blk.{layer}", tower.width, tower.hidden
    tensors = norm(f"{name}.ln1", width, bias=tower.norms_have_bias)
    tensors |= norm(f"{name}.ln2", width, bias=tower.norms_have_bias)
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensors |= linear(noise, f"{name}.{part}", width, width)
    tensors |= linear(noise, f"{name}.ffn_up", hidden, width)
    tensors |= linear(noise, f"{name}.ffn_down", width, hidden)
    if tower.is_gated:
        tensors |= linear(noise, f"{name}.ffn_gate", hidden, width)
    return tensors
