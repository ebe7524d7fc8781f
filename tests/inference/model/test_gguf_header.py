"""A GGUF header is read in milliseconds; a damaged file is one clear error, whatever is in it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_llava import TinyModel

from cinecut.errors import ModelError
from cinecut.inference.model.gguf_header import GgufHeader, read_gguf_header
from cinecut.inference.model.picture_tokens import PictureTokens
from cinecut.inference.model.vision_model import VisionModel, read_vision_model

LLAMA_7B = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 32,
    "llama.embedding_length": 4096,
}
CLIP_336 = {
    "general.architecture": "clip",
    "clip.projector_type": "mlp",
    "clip.vision.image_size": 336,
    "clip.vision.patch_size": 14,
}
PASSED_OVER = {f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type")}
FEW = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_the_header_says_what_the_reference_reader_says(tiny_model: TinyModel) -> None:
    """But for long arrays and arrays of strings, which it passes over."""
    for path in (tiny_model.model, tiny_model.mmproj):
        header = read_gguf_header(path)
        told = {
            key: field.contents()
            for key, field in gguf.GGUFReader(path).fields.items()
            if not key.startswith("GGUF.") and key not in PASSED_OVER
        }
        assert {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in header.metadata.items()
            if key not in PASSED_OVER
        } == told
        assert header.size_bytes == path.stat().st_size


@given(cut=st.floats(0, 1), flip=st.floats(0, 1), bits=st.integers(0, 255))
@FEW
def test_a_damaged_file_is_read_or_is_a_model_error(
    tiny_model: TinyModel, tmp_path: Path, cut: float, flip: float, bits: int
) -> None:
    """Whatever byte is wrong, and wherever it ends."""
    whole = tiny_model.mmproj.read_bytes()[:4096]
    damaged = bytearray(whole[: int(cut * len(whole))])
    if damaged:
        damaged[int(flip * (len(damaged) - 1))] ^= bits
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    try:
        header = read_gguf_header(path)
    except ModelError:
        return
    assert isinstance(header, GgufHeader)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no GGUF file"),
        (b"not a model at all", "no GGUF file"),
        (b"GGUF" + struct.pack("<I", 1), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1), "ends in the middle"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 50), "damaged"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99), "damaged"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, 1 << 62), "ends in the"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 4, 1 << 62), "damaged"),
    ],
)
def test_what_is_no_model_is_told_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=said):
        read_gguf_header(path)


def test_a_missing_file_and_a_folder_are_told_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        read_gguf_header(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="folder"):
        read_gguf_header(tmp_path)


def test_files_the_wrong_way_round_are_told_so(tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match=r"mmproj, not a language model.*\n.*\n.*other way round"):
        read_vision_model(tiny_model.mmproj, tiny_model.model)
    with pytest.raises(ModelError, match="language model, not an mmproj"):
        read_vision_model(tiny_model.model, tiny_model.model)


def vision_model(text: dict[str, object], clip: dict[str, object]) -> VisionModel:
    return VisionModel(
        GgufHeader(Path("model.gguf"), 4080 << 20, {**LLAMA_7B, **text}),
        GgufHeader(Path("mmproj.gguf"), 600 << 20, {**CLIP_336, **clip}),
    )


def test_a_7b_spends_half_a_mib_a_token_and_576_tokens_a_picture() -> None:
    model = vision_model({}, {})

    assert model.slot_mib(1024, 512) == 512
    assert model.picture == PictureTokens(576, side_px=336, patches=576)
    assert model.is_seven_b_or_more
    assert model.weights_mib == 4680


def test_only_layers_with_a_cache_of_their_own_cost_context() -> None:
    """Qwen3.5-9B and Gemma 4 E2B, as their headers are; logs of llama-server tell these sizes."""
    qwen = {"block_count": 32, "embedding_length": 4096, "full_attention_interval": 4}
    qwen |= {"attention.head_count": 16, "attention.head_count_kv": 4}
    qwen |= {"attention.key_length": 256, "attention.value_length": 256}
    qwen |= {"ssm.conv_kernel": 4, "ssm.state_size": 128, "ssm.group_count": 16}
    qwen |= {"ssm.inner_size": 4096}
    gemma: dict[str, object] = {"block_count": 35, "embedding_length": 1536}
    gemma |= {"attention.head_count": 8, "attention.head_count_kv": 1}
    gemma |= {"attention.key_length": 512, "attention.value_length": 512}
    gemma |= {"attention.key_length_swa": 256, "attention.value_length_swa": 256}
    gemma |= {"attention.shared_kv_layers": 20, "attention.sliding_window": 512}
    gemma |= {"attention.sliding_window_pattern": (True, True, True, True, False) * 7}

    def slot_mib(kind: str, facts: Mapping[str, object], context: int) -> float | None:
        text = {f"{kind}.{key}": value for key, value in facts.items()}
        model = GgufHeader(Path("model.gguf"), 0, {"general.architecture": kind, **text})
        return VisionModel(model, GgufHeader(Path("mmproj.gguf"), 0, {})).slot_mib(context, 512)

    assert slot_mib("qwen35", qwen, 262_144) == 8192 + 50.25  # 8 layers' keys and values, 24 states
    assert slot_mib("gemma4", gemma, 2048) == 12 + 12  # 3 layers in full, 12 of 1024 tokens


@pytest.mark.parametrize(
    ("text", "kv_mib"),
    [
        ({"llama.attention.head_count_kv": 8}, 0.125),
        ({"llama.attention.head_count_kv": (8, 0) * 16}, 0.0625),
        ({"llama.full_attention_interval": 4}, 0.125),
        ({"llama.attention.key_length_mla": 192}, 0.25),
        ({"llama.attention.sliding_window": 256, "general.architecture": "llama"}, 0.5),
        ({"llama.attention.key_length": 64, "llama.attention.value_length": 64}, 0.25),
        ({"llama.attention.head_count": 0}, None),
        ({"llama.block_count": "many"}, None),
    ],
)
def test_the_context_costs_what_the_header_says(
    text: dict[str, object], kv_mib: float | None
) -> None:
    mib = vision_model(text, {}).slot_mib(1024, 512)

    assert mib == (None if kv_mib is None else pytest.approx(1024 * kv_mib))
