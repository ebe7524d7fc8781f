"""Writes a random-weight model pair of LLaVA-1.5's shape: under 1 MB, answers on any CPU.

A real llama-server loads it and speaks its whole protocol with it; what it says is word salad.
`python tests/tiny_llava.py DIR` writes `model.gguf` and `mmproj.gguf` into DIR.
"""

from __future__ import annotations

import math
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}ASSISTANT: {{ message['content'] }}</s>\n"
    "{% else %}{{ message['content'] }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The turn markers of Vicuna, which LLaVA-1.5 was trained on."""

CONTEXT_TOKENS = 4096
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS, TEXT_HIDDEN = 64, 2, 4, 128
IMAGE_SIZE_PX, PATCH_PX = 336, 14  # CLIP ViT-L/14-336, hence LLaVA's 576 tokens a picture
VISION_WIDTH, VISION_LAYERS, VISION_HEADS, VISION_HIDDEN = 64, 2, 4, 128

_WORDS = """
    a the and of in on under near two red blue green grey dark bright quiet warm cold slow old
    small door window street river field forest house room sky cloud rain light shadow hand face
    man woman child dog bird tree stone water walks waits looks runs turns stands speaks
"""
WORDS = _WORDS.split()
# A backslash would start an escape, and an escape may stand for any character.
CHARACTERS = [char for char in map(chr, range(32, 127)) if char != "\\"]

SHORT_REPLIES, LLAVA_REPLIES = 5.5, 4.4
"""How likely a quote is, which ends a field: 60 tokens a reply, or about 170, as LLaVA-1.5."""

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class TinyModel:
    """The two files of a LLaVA."""

    model: Path
    mmproj: Path


@dataclass(frozen=True)
class _Token:
    text: str
    kind: gguf.TokenType
    bias: float
    """Added to the token's logit in every step."""


def write_pair(folder: Path, quote_bias: float = SHORT_REPLIES) -> TinyModel:
    """Write `model.gguf` and `mmproj.gguf` into `folder`, which is made where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = TinyModel(folder / "model.gguf", folder / "mmproj.gguf")
    write_text_model(pair.model, quote_bias=quote_bias)
    write_mmproj(pair.mmproj)
    return pair


def write_text_model(
    path: Path,
    *,
    width: int = TEXT_WIDTH,
    chat_template: str | None = CHAT_TEMPLATE,
    architecture: str = "llama",
    quote_bias: float = SHORT_REPLIES,
) -> Path:
    """Write the language half.

    Another `width` than the default does not fit the mmproj, a `chat_template` of None is how
    the first LLaVA files were published, and another `architecture` is one nobody knows.
    """
    tokens = _vocabulary(quote_bias)
    metadata = {
        "general.name": "tiny random llava",
        f"{architecture}.context_length": CONTEXT_TOKENS,
        f"{architecture}.embedding_length": width,
        f"{architecture}.block_count": TEXT_LAYERS,
        f"{architecture}.feed_forward_length": TEXT_HIDDEN,
        f"{architecture}.attention.head_count": TEXT_HEADS,
        f"{architecture}.attention.head_count_kv": TEXT_HEADS,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.dimension_count": width // TEXT_HEADS,
        f"{architecture}.vocab_size": len(tokens),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [token.text for token in tokens],
        "tokenizer.ggml.scores": [-float(index) for index in range(len(tokens))],
        "tokenizer.ggml.token_type": [int(token.kind) for token in tokens],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
    }
    if chat_template is not None:
        metadata["tokenizer.chat_template"] = chat_template
    _write(path, architecture, metadata, _text_tensors(tokens, width))
    return path


def write_mmproj(path: Path) -> Path:
    """Write the vision half: a small CLIP and LLaVA's projector of two layers."""
    metadata = {
        "clip.has_vision_encoder": True,
        "clip.has_llava_projector": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": False,
        "clip.vision.image_size": IMAGE_SIZE_PX,
        "clip.vision.patch_size": PATCH_PX,
        "clip.vision.embedding_length": VISION_WIDTH,
        "clip.vision.feed_forward_length": VISION_HIDDEN,
        "clip.vision.projection_dim": TEXT_WIDTH,
        "clip.vision.block_count": VISION_LAYERS,
        "clip.vision.attention.head_count": VISION_HEADS,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.image_mean": [0.48145466, 0.4578275, 0.40821073],
        "clip.vision.image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    _write(path, "clip", metadata, _vision_tensors())
    return path


def write_truncated(path: Path, whole: Path) -> Path:
    """Write the first three quarters of the file `whole`, as a broken-off download leaves it."""
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    return path


def _vocabulary(quote_bias: float) -> list[_Token]:
    never = -1000.0  # a byte token could break UTF-8, and a server answers that with an error
    tokens = [
        _Token("<unk>", gguf.TokenType.UNKNOWN, never),
        _Token("<s>", gguf.TokenType.CONTROL, never),
        _Token("</s>", gguf.TokenType.CONTROL, 3.0),
    ]
    tokens += [_Token(f"<0x{byte:02X}>", gguf.TokenType.BYTE, never) for byte in range(256)]
    likely = {'"': quote_bias, ".": 2.0, ",": 2.0, " ": -3.0}
    likely |= dict.fromkeys(string.ascii_letters, -1.0)
    tokens += [
        _Token(char.replace(" ", "▁"), gguf.TokenType.NORMAL, likely.get(char, -3.0))
        for char in CHARACTERS
    ]
    single = set(CHARACTERS)
    tokens += [_Token(f"▁{word}", gguf.TokenType.NORMAL, 4.0) for word in WORDS]
    tokens += [_Token(word, gguf.TokenType.NORMAL, 2.0) for word in WORDS if word not in single]
    return tokens


def _text_tensors(tokens: list[_Token], width: int) -> Tensors:
    """Random weights, but for channel 0: it is constant and carries each token's bias.

    Every embedding has the same value there and no layer adds to it, so that after the last
    norm it is near 1 at each place where a token is drawn.
    """
    rng = np.random.default_rng(20231005)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns), dtype=np.float32) * columns**-0.5

    def residual(columns: int) -> np.ndarray:
        weights = matrix(width, columns)
        weights[0] = 0
        return weights

    embedding = rng.standard_normal((len(tokens), width), dtype=np.float32)
    embedding[:, 0] = 2
    head = matrix(len(tokens), width) - 0.05 * embedding  # so that no word follows itself
    head[:, 0] = [token.bias for token in tokens]
    tensors = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(width, np.float32),
        "output.weight": head,
    }
    for layer in range(TEXT_LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": np.ones(width, np.float32),
            f"blk.{layer}.attn_q.weight": matrix(width, width),
            f"blk.{layer}.attn_k.weight": matrix(width, width),
            f"blk.{layer}.attn_v.weight": matrix(width, width),
            f"blk.{layer}.attn_output.weight": residual(width),
            f"blk.{layer}.ffn_norm.weight": np.ones(width, np.float32),
            f"blk.{layer}.ffn_gate.weight": matrix(TEXT_HIDDEN, width),
            f"blk.{layer}.ffn_up.weight": matrix(TEXT_HIDDEN, width),
            f"blk.{layer}.ffn_down.weight": residual(TEXT_HIDDEN),
        }
    return tensors


def _vision_tensors() -> Tensors:
    rng = np.random.default_rng(20210226)
    patches = (IMAGE_SIZE_PX // PATCH_PX) ** 2
    shapes = {"mm.0": (TEXT_WIDTH, VISION_WIDTH), "mm.2": (TEXT_WIDTH, TEXT_WIDTH)}
    norms = ["v.pre_ln", "v.post_ln"]
    for layer in (f"v.blk.{number}" for number in range(VISION_LAYERS)):
        norms += [f"{layer}.ln1", f"{layer}.ln2"]
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes[f"{layer}.{name}"] = (VISION_WIDTH, VISION_WIDTH)
        shapes[f"{layer}.ffn_up"] = (VISION_HIDDEN, VISION_WIDTH)
        shapes[f"{layer}.ffn_down"] = (VISION_WIDTH, VISION_HIDDEN)

    def random(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32) * math.prod(shape[1:]) ** -0.5

    tensors = {
        "v.class_embd": rng.standard_normal(VISION_WIDTH, dtype=np.float32),
        "v.position_embd.weight": random(patches + 1, VISION_WIDTH),
        "v.patch_embd.weight": random(VISION_WIDTH, 3, PATCH_PX, PATCH_PX).astype(np.float16),
    }
    for name in norms:
        tensors[f"{name}.weight"] = np.ones(VISION_WIDTH, np.float32)
        tensors[f"{name}.bias"] = np.zeros(VISION_WIDTH, np.float32)
    for name, shape in shapes.items():
        tensors[f"{name}.weight"] = random(*shape).astype(np.float16)
        tensors[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    return tensors


def _write(path: Path, architecture: str, metadata: dict[str, Any], tensors: Tensors) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        kind = gguf.GGUFValueType.get_type(value)
        # gguf-py takes every int for signed; llama.cpp asks for its sizes and ids unsigned.
        writer.add_key_value(key, value, gguf.GGUFValueType.UINT32 if type(value) is int else kind)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    written = write_pair(Path(sys.argv[1]))
    print(f"{written.model}\n{written.mmproj}")
