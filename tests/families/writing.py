"""What every stand-in model shares: the words that it says, random weights, the GGUF file."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Tensors = dict[str, np.ndarray]

_WORDS = """
    a the and of in on under near two red blue green grey dark bright quiet warm cold slow old
    small door window street river field forest house room sky cloud rain light shadow hand face
    man woman child dog bird tree stone water walks waits looks runs turns stands speaks
"""
WORDS = _WORDS.split()
# A backslash would start an escape, and an escape may stand for any character.
CHARACTERS = [char for char in map(chr, range(32, 127)) if char != "\\"]

SHORT_REPLIES, LLAVA_REPLIES = 5.5, 4.4
"""How likely a quote is, which ends a field: 40 to 60 tokens a reply, or 110 to 160, as LLaVA."""

_NEVER = -1000.0


class SignedInt(int):
    """A number in a file's metadata that llama.cpp asks for with a sign."""


@dataclass(frozen=True)
class TinyModel:
    """The two files of a vision model."""

    model: Path
    mmproj: Path


@dataclass(frozen=True)
class Token:
    text: str
    kind: gguf.TokenType
    bias: float
    """Added to the token's logit in every step."""


class Noise:
    """Random weights, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def normal(self, *shape: int) -> np.ndarray:
        return self._random.standard_normal(shape, dtype=np.float32)

    def weights(self, *shape: int) -> np.ndarray:
        """Weights of outputs x inputs that keep what goes through at its size."""
        return self.normal(*shape) * math.prod(shape[1:]) ** -0.5


def vocabulary(
    quote_bias: float,
    *,
    bos: str = "<s>",
    eos: str = "</s>",
    marks: Sequence[str] = (),
    shown_marks: Sequence[str] = (),
) -> list[Token]:
    """Return bytes, characters and words, and the control tokens that a family has besides.

    Args:
        quote_bias: How likely the quote is that ends a field of the reply.
        bos: The token 1, before every prompt of a family that wants one.
        eos: The token 2, which ends a turn.
        marks: What else counts as one token, such as the marks round a picture.
        shown_marks: Those that a reply shows, such as the marks round thoughts.
    """
    # A byte token could break UTF-8, and a server answers that with an error.
    tokens = [
        Token("<unk>", gguf.TokenType.UNKNOWN, _NEVER),
        Token(bos, gguf.TokenType.CONTROL, _NEVER),
        Token(eos, gguf.TokenType.CONTROL, 3.0),
    ]
    tokens += [Token(f"<0x{byte:02X}>", gguf.TokenType.BYTE, _NEVER) for byte in range(256)]
    likely = {'"': quote_bias, ".": 2.0, ",": 2.0, " ": -3.0}
    likely |= dict.fromkeys(string.ascii_letters, -1.0)
    tokens += [
        Token(char.replace(" ", "▁"), gguf.TokenType.NORMAL, likely.get(char, -3.0))
        for char in CHARACTERS
    ]
    single = set(CHARACTERS)
    tokens += [Token(f"▁{word}", gguf.TokenType.NORMAL, 4.0) for word in WORDS]
    tokens += [Token(word, gguf.TokenType.NORMAL, 2.0) for word in WORDS if word not in single]
    tokens += [Token(mark, gguf.TokenType.CONTROL, _NEVER) for mark in marks]
    tokens += [Token(mark, gguf.TokenType.USER_DEFINED, _NEVER) for mark in shown_marks]
    return tokens


def tokenizer_metadata(tokens: list[Token], *, adds_bos: bool = True) -> dict[str, Any]:
    """Return the entries of a SentencePiece tokenizer."""
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [token.text for token in tokens],
        "tokenizer.ggml.scores": [-float(index) for index in range(len(tokens))],
        "tokenizer.ggml.token_type": [int(token.kind) for token in tokens],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": adds_bos,
    }


def word_tensors(noise: Noise, tokens: list[Token], width: int) -> Tensors:
    """Return the embedding, the last norm and the head, which make random weights say words.

    Channel 0 is constant and carries each token's bias: every embedding has the same value
    there and no layer adds to it (see `residual`), so that after the last norm it is near 1 at
    each place where a token is drawn.
    """
    embedding = noise.normal(len(tokens), width)
    embedding[:, 0] = 2
    head = noise.weights(len(tokens), width) - 0.05 * embedding  # so that no word follows itself
    head[:, 0] = [token.bias for token in tokens]
    return {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(width, np.float32),
        "output.weight": head,
    }


def residual(noise: Noise, width: int, columns: int) -> np.ndarray:
    """Return the weights of what a layer adds, which leave channel 0 alone."""
    weights = noise.weights(width, columns)
    weights[0] = 0
    return weights


def write_gguf(
    path: Path, architecture: str, metadata: Mapping[str, Any], tensors: Tensors
) -> None:
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
