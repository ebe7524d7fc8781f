"""What the two files of a vision model tell: memory per token, tokens per picture, template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cinecut.errors import ModelError
from cinecut.inference.model.gguf_header import GgufHeader, read_gguf_header
from cinecut.inference.model.picture_tokens import PictureTokens, picture_tokens, takes_several

MIB: Final = 1 << 20

_KV_BYTES_PER_VALUE: Final = 2  # llama-server keeps keys and values in f16 unless told otherwise
_STATE_BYTES_PER_VALUE: Final = 4
_BATCH_BYTES_PER_VALUE: Final = 13
_TOWER_BYTES_PER_VALUE: Final = 32
_USUAL_TOWER_WIDTH: Final = 1152
# Each so manieth layer looks back all the way, where a header tells only that others do not.
_FAR_LAYERS: Final = {"gemma2": 2, "gemma3": 6, "gemma3n": 5}
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

    def slot_mib(self, context_tokens: int, batch_tokens: int) -> float | None:
        """Return the memory of a slot's context in MiB, or None where the header does not tell.

        Layers x KV heads x (key size + value size) x 2 bytes a token; 0.5 MiB for LLaVA-1.5-7B.
        Layers that look back only so far hold no more than that and a batch, and may have sizes of
        their own. Recurrent layers hold a state instead, and the last ones may use other layers'.

        Args:
            context_tokens: Tokens that the slot holds.
            batch_tokens: Tokens that llama-server works on at once.
        """
        layers = self._number("block_count")
        heads = self._number("attention.head_count")
        width = self._number("embedding_length")
        if not (layers and heads and width):
            return None
        key = self._number("attention.key_length") or width // heads
        value = self._number("attention.value_length") or width // heads
        if self._number("attention.key_length_mla"):  # values are part of the keys (DeepSeek 2)
            value = 0
        near_size = (self._number("attention.key_length_swa") or key) + (
            self._number("attention.value_length_swa") or value
        )
        near = -(-((self._number("attention.sliding_window") or 0) + batch_tokens) // 256) * 256
        kept = 0
        for layer in range(layers - (self._number("attention.shared_kv_layers") or 0)):
            if not self._is_recurrent(layer):
                is_near = self._is_near(layer)
                tokens = min(context_tokens, near) if is_near else context_tokens
                size = near_size if is_near else key + value
                kept += tokens * size * self._of_layer("attention.head_count_kv", layer, heads)
        return kept * _KV_BYTES_PER_VALUE / MIB + self._recurrent_mib(layers)

    @property
    def tower_mib(self) -> float:
        """Memory of what the vision tower computes for a picture, in MiB.

        32 bytes x width a patch, and 4 bytes for each pair of them where only some may see each
        other: within 110 MiB of what the logs of builds 10434 and 11434 tell for 13 families.
        """
        patches = self.picture.patches
        width = self.mmproj.number("clip.vision.embedding_length") or _USUAL_TOWER_WIDTH
        pairs = 4 * patches if "clip.vision.n_wa_pattern" in self.mmproj.metadata else 0
        return patches * (_TOWER_BYTES_PER_VALUE * width + pairs) / MIB

    def batch_mib(self, batch_tokens: int) -> float:
        """Return the memory of what is computed for so many tokens at once, in MiB.

        13 bytes x (width + width of the feed-forward network) a token: 300 MiB more for 2048 tokens
        than for 512, measured with a 7B model.
        """
        width = self._number("embedding_length") or 0
        hidden = self._number("feed_forward_length") or 0
        return batch_tokens * _BATCH_BYTES_PER_VALUE * (width + hidden) / MIB

    @property
    def trained_context(self) -> int | None:
        """The longest context that the model knows, in tokens: a slot gets no more."""
        return self._number("context_length")

    @property
    def is_seven_b_or_more(self) -> bool:
        """Whether the language model is of LLaMA-7B's size or larger; an unknown one is."""
        layers, width = self._number("block_count"), self._number("embedding_length")
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

    @property
    def takes_several(self) -> bool:
        """Whether it is known to tell several pictures of one question apart."""
        return takes_several(self.mmproj.metadata)

    def _is_near(self, layer: int) -> bool:
        """Whether a layer looks back only so far (sliding window)."""
        if not self._number("attention.sliding_window"):
            return False
        pattern = self._told("attention.sliding_window_pattern")
        if isinstance(pattern, tuple):
            return bool(pattern[layer % len(pattern)]) if pattern else False
        every = pattern if isinstance(pattern, int) and pattern > 0 else _FAR_LAYERS.get(self._kind)
        return every is not None and (layer + 1) % every != 0

    def _is_recurrent(self, layer: int) -> bool:
        """Whether a layer keeps a state instead of what it has seen."""
        every = self._number("full_attention_interval")
        return every is not None and every > 0 and (layer + 1) % every != 0

    def _recurrent_mib(self, layers: int) -> float:
        """Return the memory of a slot's states: of the convolution and of the recurrence."""
        inner, state = self._number("ssm.inner_size") or 0, self._number("ssm.state_size") or 0
        groups, kernel = self._number("ssm.group_count") or 0, self._number("ssm.conv_kernel") or 1
        values = (kernel - 1) * (inner + 2 * groups * state) + inner * state
        return sum(map(self._is_recurrent, range(layers))) * values * _STATE_BYTES_PER_VALUE / MIB

    def _of_layer(self, key: str, layer: int, default: int) -> int:
        """Return a number that may differ from layer to layer."""
        value = self._told(key)
        if isinstance(value, tuple):
            value = value[layer] if layer < len(value) else max(value, default=default)
        return value if isinstance(value, int) and value >= 0 else default

    def _number(self, key: str) -> int | None:
        value = self._told(key)
        if isinstance(value, tuple):  # one number a layer: the largest is the safe one
            value = max(value, default=None)
        return value if isinstance(value, int) else None

    def _told(self, key: str) -> Any:
        return self.model.metadata.get(f"{self._kind}.{key}")

    @property
    def _kind(self) -> str:
        return self.model.architecture


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
