"""Writes the language half of a family: its architecture and its template, but tiny."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from families.writing import (
    SHORT_REPLIES,
    Noise,
    Tensors,
    Token,
    residual,
    tokenizer_metadata,
    vocabulary,
    word_tensors,
    write_gguf,
)

WIDTH = 64
"""Of every language model here, and so of what every projector puts out."""

_UNLIKELY = -40.0  # out of reach for chance, within reach of a token's own embedding


@dataclass(frozen=True)
class TextModel:
    """A transformer of the plain kind: two norms, attention and a gated network a layer."""

    architecture: str
    template: str | None
    """Its chat template; None: the file brings none."""
    width: int = WIDTH
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 16
    hidden: int = 128
    context: int = 32768
    bos: str = "<s>"
    eos: str = "</s>"
    adds_bos: bool = True
    adds_space: bool = True
    """Whether a blank is put before every text, as by the first SentencePiece models."""
    marks: tuple[str, ...] = ()
    """Its further control tokens."""
    shown_marks: tuple[str, ...] = ()
    """Marks that a reply shows, such as those round thoughts."""
    follows: Mapping[str, str] = field(default_factory=dict)
    """What it says next after some tokens; what is named here it says nowhere else."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Entries of its own; the architecture's name stands before the keys in the file."""
    more: Callable[[Noise, int], Tensors] = lambda _noise, _layer: {}
    """The tensors that a layer of it has besides, or instead of the plain ones."""
    layer: Callable[[Noise, TextModel, int], Tensors] = lambda noise, text, layer: plain_layer(
        noise, text, layer
    )
    """All tensors of a layer, where it lacks some of the plain ones."""
    last_norm: str = "output_norm"


def write_text_model(
    path: Path,
    text: TextModel,
    *,
    name: str,
    seed: int = 20231005,
    quote_bias: float = SHORT_REPLIES,
) -> Path:
    """Write the model as a GGUF file at `path` and return `path`."""
    tokens = vocabulary(
        quote_bias, bos=text.bos, eos=text.eos, marks=text.marks, shown_marks=text.shown_marks
    )
    own = {
        "context_length": text.context,
        "embedding_length": text.width,
        "block_count": text.layers,
        "feed_forward_length": text.hidden,
        "attention.head_count": text.heads,
        "attention.head_count_kv": text.kv_heads,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": text.head_width,
        "vocab_size": len(tokens),
    }
    if text.head_width != text.width // text.heads:
        own |= {"attention.key_length": text.head_width, "attention.value_length": text.head_width}
    own |= text.metadata
    metadata = {"general.name": name}
    metadata |= {f"{text.architecture}.{key}": value for key, value in own.items()}
    metadata |= tokenizer_metadata(tokens, adds_bos=text.adds_bos)
    if not text.adds_space:
        metadata["tokenizer.ggml.add_space_prefix"] = False
    if text.template is not None:
        metadata["tokenizer.chat_template"] = text.template
    noise = Noise(seed)
    tensors = word_tensors(noise, tokens, text.width)
    _chain(tensors, tokens, text.follows)
    tensors[f"{text.last_norm}.weight"] = tensors.pop("output_norm.weight")
    for layer in range(text.layers):
        tensors |= text.layer(noise, text, layer) | text.more(noise, layer)
    write_gguf(path, text.architecture, metadata, tensors)
    return path


def _chain(tensors: Tensors, tokens: list[Token], follows: Mapping[str, str]) -> None:
    """Make the head answer some tokens with the next: nothing else is as much like them."""
    embedding, head = tensors["token_embd.weight"], tensors["output.weight"]
    numbers = {token.text: number for number, token in enumerate(tokens)}
    for before, after in follows.items():
        head[numbers[after], 1:] += 2 * embedding[numbers[before], 1:]
        head[numbers[after], 0] = _UNLIKELY


def plain_layer(noise: Noise, text: TextModel, layer: int) -> Tensors:
    """Return the tensors of a layer as LLaMA has them."""
    return attention(noise, text, layer) | network(noise, text, layer)


def attention(noise: Noise, text: TextModel, layer: int) -> Tensors:
    """Return the first half of a layer, which looks at the tokens before."""
    width, inner, kv = text.width, text.heads * text.head_width, text.kv_heads * text.head_width
    return {
        f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
        f"blk.{layer}.attn_q.weight": noise.weights(inner, width),
        f"blk.{layer}.attn_k.weight": noise.weights(kv, width),
        f"blk.{layer}.attn_v.weight": noise.weights(kv, width),
        f"blk.{layer}.attn_output.weight": residual(noise, width, inner),
    }


def query_key_norms(text: TextModel, layer: int) -> Tensors:
    """Return the norms of each head's queries and keys."""
    return {
        f"blk.{layer}.{name}.weight": np.ones(text.head_width, np.float32)
        for name in ("attn_q_norm", "attn_k_norm")
    }


def network(noise: Noise, text: TextModel, layer: int, *, norm: str = "ffn_norm") -> Tensors:
    """Return the second half of a layer, a gated network behind the norm called `norm`."""
    width = text.width
    return {
        f"blk.{layer}.{norm}.weight": np.ones(width, np.float32),
        f"blk.{layer}.ffn_gate.weight": noise.weights(text.hidden, width),
        f"blk.{layer}.ffn_up.weight": noise.weights(text.hidden, width),
        f"blk.{layer}.ffn_down.weight": residual(noise, width, text.hidden),
    }


def attention_biases(text: TextModel) -> Callable[[Noise, int], Tensors]:
    """Return what gives a layer the biases of Qwen2's attention."""
    kv = text.kv_heads * text.head_width
    sizes = {"attn_q": text.heads * text.head_width, "attn_k": kv, "attn_v": kv}

    def biases(_: Noise, layer: int) -> Tensors:
        return {
            f"blk.{layer}.{name}.bias": np.zeros(size, np.float32) for name, size in sizes.items()
        }

    return biases
