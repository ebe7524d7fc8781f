"""Writes the trained network as the two GGUF files that llama-server takes."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from demo_model.network import (
    NORM_EPSILON,
    PATCH_PX,
    PIXEL_MEAN,
    PIXEL_STD,
    TEXT,
    VISION,
    Eyes,
    Llava,
)
from demo_model.words import BEGIN, BYTES, CHAT_TEMPLATE, END, MARKS, TURNS, UNKNOWN, WORDS

from cinecut.demo.labels import PICTURE_SIDE_PX

CONTEXT_TOKENS = 2048
_SPACE = "\u2581"  # how SentencePiece writes a blank


def write_text_model(network: Llava, path: Path) -> None:
    """Write the language model, its vocabulary and its chat template."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("CineCut demo")
    writer.add_description("Names light, colours and detail of a picture. Follows no instruction.")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(TEXT.width)
    writer.add_block_count(TEXT.blocks)
    writer.add_feed_forward_length(TEXT.hidden)
    writer.add_head_count(TEXT.heads)
    writer.add_head_count_kv(TEXT.heads)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_rope_dimension_count(TEXT.width // TEXT.heads)
    writer.add_vocab_size(len(WORDS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([word.replace(" ", _SPACE) for word in WORDS])
    writer.add_token_scores([0.0] * len(WORDS))
    writer.add_token_types([_kind(word) for word in WORDS])
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    own = {
        name: value for name, value in network.state_dict().items() if not name.startswith("eyes.")
    }
    _write(writer, {name: value.numpy() for name, value in own.items()})


def write_vision_model(eyes: Eyes, path: Path) -> None:
    """Write the vision tower and the projector. It has no class token and no norm at the end."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name("CineCut demo")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.has_llava_projector", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", PICTURE_SIDE_PX)
    writer.add_uint32("clip.vision.patch_size", PATCH_PX)
    writer.add_uint32("clip.vision.embedding_length", VISION.width)
    writer.add_uint32("clip.vision.feed_forward_length", VISION.hidden)
    writer.add_uint32("clip.vision.projection_dim", TEXT.width)
    writer.add_uint32("clip.vision.attention.head_count", VISION.heads)
    writer.add_uint32("clip.vision.block_count", VISION.blocks)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", NORM_EPSILON)
    writer.add_array("clip.vision.image_mean", [PIXEL_MEAN] * 3)
    writer.add_array("clip.vision.image_std", [PIXEL_STD] * 3)
    # Without this llama.cpp leaves out the last block, as LLaVA-1.5 does.
    writer.add_array("clip.vision.feature_layer", [VISION.blocks])
    tensors = {}
    for name, value in eyes.state_dict().items():
        if name == "position_embd":
            name += ".weight"
        prefix = "" if name.startswith("mm_") else "v."
        tensors[prefix + name.replace("mm_", "mm.")] = value.numpy()
    _write(writer, tensors)


def _kind(word: str) -> gguf.TokenType:
    if word in BYTES:
        return gguf.TokenType.BYTE
    if word in TURNS:
        return gguf.TokenType.USER_DEFINED
    if word == MARKS[UNKNOWN]:
        return gguf.TokenType.UNKNOWN
    return gguf.TokenType.CONTROL if word in MARKS else gguf.TokenType.NORMAL


def _write(writer: gguf.GGUFWriter, tensors: dict[str, np.ndarray]) -> None:
    """Write matrices in 16 bits; norms, biases and positions, which are small, in 32."""
    for name, value in tensors.items():
        is_matrix = value.ndim > 1 and "position" not in name
        writer.add_tensor(name, value.astype(np.float16 if is_matrix else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
