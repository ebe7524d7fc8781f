"""Writes the trained network as the two GGUF files that llama-server takes, and reads them."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from demo_model.network import (
    NORM_EPSILON,
    PATCH_PX,
    PIXEL_MEAN,
    PIXEL_STD,
    TEXT,
    VISION,
    Llava,
)
from demo_model.words import (
    BEGIN,
    BYTES,
    CHAT_TEMPLATE,
    END,
    MARKS,
    OTHER_SPELLINGS,
    TURNS,
    UNKNOWN,
    WORDS,
)

from cinecut.demo.labels import PICTURE_SIDE_PX

CONTEXT_TOKENS = 2048
_EYES = "eyes."  # begins the names of the weights that lie in the mmproj
_SPACE = "\u2581"  # how SentencePiece writes a blank
# A key of the reply is one word to the network and two tokens to llama-server, whichever of its
# spellings the grammar asks for. The second is less likely, so that no draw is lost to it.
_SPELLINGS = [*WORDS, *OTHER_SPELLINGS]
_NUMBERS = [*range(len(WORDS)), *OTHER_SPELLINGS.values()]
_A_ROW_A_WORD = ("token_embd.weight", "output.weight")


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
    writer.add_vocab_size(len(_SPELLINGS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([_stored(word) for word in _SPELLINGS])
    writer.add_token_scores([0.0] * len(_SPELLINGS))
    writer.add_token_types([_kind(word) for word in _SPELLINGS])
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    _write(writer, _tensors(network, eyes=False))


def write_vision_model(network: Llava, path: Path) -> None:
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
    _write(writer, _tensors(network, eyes=True))


def read_network(model: Path, mmproj: Path) -> Llava:
    """Return the network whose weights the two files hold, as rounded as they are there."""
    files = [gguf.GGUFReader(path) for path in (model, mmproj)]
    words = files[0].fields["tokenizer.ggml.tokens"].contents()
    if words != [_stored(word) for word in _SPELLINGS]:
        sys.exit(f"{model} was trained on other sentences than those of cinecut/demo/sentences.py.")
    stored = {
        tensor.name: np.array(tensor.data, np.float32) for file in files for tensor in file.tensors
    }
    network = Llava(len(WORDS))
    weights = {}
    for name, value in network.state_dict().items():
        weight = stored[_tensor_name(name)]
        if name in _A_ROW_A_WORD:
            weight = weight[: len(WORDS)]
        weights[name] = torch.from_numpy(weight.reshape(value.shape))
    network.load_state_dict(weights)
    return network.eval()


def _stored(word: str) -> str:
    return word.replace(" ", _SPACE)


def _tensors(network: Llava, *, eyes: bool) -> dict[str, np.ndarray]:
    tensors = {}
    for name, value in network.state_dict().items():
        if name.startswith(_EYES) == eyes:
            tensor = value.numpy()[_NUMBERS] if name in _A_ROW_A_WORD else value.numpy()
            if name == "output.weight":
                tensor[len(WORDS) :] /= 2
            tensors[_tensor_name(name)] = tensor
    return tensors


def _tensor_name(name: str) -> str:
    if not name.startswith(_EYES):
        return name
    name = name.removeprefix(_EYES)
    if name == "position_embd":
        return "v.position_embd.weight"
    return name.replace("mm_", "mm.") if name.startswith("mm_") else f"v.{name}"


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
