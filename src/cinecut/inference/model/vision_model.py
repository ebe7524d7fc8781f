"""What the two files of a vision model tell: memory per token, tokens per picture, template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cinecut.errors import ModelError
from cinecut.inference.model.gguf_header import GgufHeader, read_gguf_header
from cinecut.inference.model.picture_tokens import PictureTokens, picture_tokens

MIB: Final = 1 << 20

_KV_BYTES_PER_VALUE: Final = 2  # llama-server keeps keys and values in f16 unless told otherwise
# 12 x layers x width^2 is the usual count of a transformer's block parameters
# (Kaplan et al. 2020, table 1: N = 12 n_layer d_model^2); LLaMA-7B gives 6.4e9.
_SEVEN_B_PARAMETERS: Final = 6_000_000_000


@dataclass(frozen=True)
class VisionModel:
    """The facts of a language model and the mmproj that gives it eyes."""

    model: GgufHeader
    mmproj: GgufHeader

    @property
    def weights_mib(self) -> float:
        """Memory of the weights of both files in MiB: their size on disk."""
        return (self.model.size_bytes + self.mmproj.size_bytes) / MIB

    @property
    def kv_mib_per_token(self) -> float | None:
        """Memory of one token of context in MiB, or None where the header does not tell.

        Layers x KV heads x (key size + value size) x 2 bytes; 0.5 MiB for LLaVA-1.5-7B.
        """
        layers = self._text("block_count")
        heads = self._text("attention.head_count")
        width = self._text("embedding_length")
        if not (layers and heads and width):
            return None
        kv_heads = self._text("attention.head_count_kv") or heads
        key = self._text("attention.key_length") or width // heads
        value = self._text("attention.value_length") or width // heads
        return layers * kv_heads * (key + value) * _KV_BYTES_PER_VALUE / MIB

    @property
    def is_seven_b_or_more(self) -> bool:
        """Whether the language model is of LLaMA-7B's size or larger; an unknown one is."""
        layers, width = self._text("block_count"), self._text("embedding_length")
        if not (layers and width):
            return True
        return 12 * layers * width * width >= _SEVEN_B_PARAMETERS

    @property
    def has_chat_template(self) -> bool:
        """Whether the model file brings its own chat template (early LLaVA files do not)."""
        return bool(self.chat_template)

    @property
    def chat_template(self) -> str:
        """The model's own chat template, in Jinja; empty where it brings none."""
        return str(self.model.metadata.get("tokenizer.chat_template") or "")

    @property
    def picture(self) -> PictureTokens:
        """What a picture costs, and how large it is sent."""
        return picture_tokens(self.mmproj.metadata)

    def _text(self, key: str) -> int | None:
        value = self.model.metadata.get(f"{self.model.architecture}.{key}")
        if isinstance(value, tuple):  # one number a layer: the largest is the safe one
            value = max(value, default=None)
        return value if isinstance(value, int) else None


def read_vision_model(model_path: Path, mmproj_path: Path) -> VisionModel:
    """Read the headers of both files.

    Raises:
        ModelError: One is missing, damaged, no GGUF, or they are given the wrong way round.
    """
    model, mmproj = read_gguf_header(model_path), read_gguf_header(mmproj_path)
    swap = "Name them the other way round, or another file: --model MODEL --mmproj MMPROJ"
    if model.architecture == "clip":
        raise ModelError(model_path, "It is an mmproj, not a language model.", tip=swap)
    if mmproj.architecture != "clip":
        raise ModelError(mmproj_path, "It is a language model, not an mmproj.", tip=swap)
    return VisionModel(model, mmproj)
