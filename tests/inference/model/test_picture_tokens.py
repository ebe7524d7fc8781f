"""What a picture costs is known for each family from its mmproj's own facts."""

from __future__ import annotations

from pathlib import Path

import pytest
from families import FAMILIES
from families.family import Family

from cinecut.inference.model.gguf_header import GgufHeader
from cinecut.inference.model.picture_tokens import (
    PictureTokens,
    name_takes_several,
    picture_tokens,
    takes_several,
)
from cinecut.inference.model.vision_model import VisionModel


def facts(kind: str, size: int, patch: int, **more: object) -> dict[str, object]:
    return {
        "clip.projector_type": kind,
        "clip.vision.image_size": size,
        "clip.vision.patch_size": patch,
        **{f"clip.vision.{key.replace('__', '.')}": value for key, value in more.items()},
    }


def tokens(kind: str, size: int, patch: int, **more: object) -> PictureTokens:
    return picture_tokens(facts(kind, size, patch, **more))


def test_a_square_costs_its_patches_after_they_are_merged() -> None:
    assert tokens("mlp", 336, 14) == PictureTokens(576, side_px=336, patches=576)
    assert tokens("gemma3", 896, 14) == PictureTokens(
        256, side_px=896, patches=4096, is_one_batch=True
    )
    assert tokens("gemma3", 896, 14, projector__scale_factor=2).most == 1024
    assert tokens("ldp", 336, 14) == PictureTokens(144, side_px=336, patches=576)


def test_pictures_whose_tokens_see_each_other_must_be_in_one_batch() -> None:
    """So may those of a kind that is not known, whatever its mmproj tells."""
    whole = ("gemma3", "gemma4v", "gemma4uv", "new")

    assert all(tokens(kind, 896, 14).is_one_batch for kind in whole)
    assert picture_tokens({"clip.projector_type": "gemma4uv"}).is_one_batch
    assert not any(tokens(kind, 896, 14).is_one_batch for kind in ("mlp", "qwen3vl_merger", "lfm2"))


@pytest.mark.parametrize("kind", ["qwen2vl_merger", "qwen2.5vl_merger", "qwen3vl_merger", "glm4v"])
def test_who_would_take_4096_is_told_to_take_1024(kind: str) -> None:
    assert tokens(kind, 768, 16).most == tokens(kind, 768, 16).limit == 1024


def test_a_build_that_limits_no_picture_gets_small_ones() -> None:
    qwen, llava = tokens("qwen2.5vl_merger", 560, 14), tokens("mlp", 336, 14)

    assert qwen.side_to_send_px(is_limited=True) is None
    assert qwen.side_to_send_px(is_limited=False) == 32 * 28
    assert llava.side_to_send_px(is_limited=False) == 336


def test_who_has_a_lower_limit_of_its_own_is_told_none() -> None:
    assert tokens("lfm2", 256, 16, projector__scale_factor=2).limit is None
    assert tokens("pixtral", 1024, 16).limit is None
    assert tokens("pixtral", 1024, 16).most >= 1050  # 1024 and a mark a row, as counted


@pytest.mark.parametrize(
    ("planned", "counted"),
    [
        (tokens("mlp", 336, 14, image_grid_pinpoints=(336, 672, 672, 672, 1008, 336)), 2881),
        (tokens("idefics3", 512, 16, projector__scale_factor=4), 1127),
        (tokens("resampler", 448, 14), 464),
    ],
    ids=["LLaVA-1.6", "SmolVLM2", "MiniCPM-V"],
)
def test_tiles_are_counted_with_the_whole_picture_and_their_marks(
    planned: PictureTokens, counted: int
) -> None:
    assert counted <= planned.most <= counted * 1.4
    assert planned.side_px is None


def test_who_reads_a_picture_as_a_whole_is_told_what_fits_into_a_batch() -> None:
    limit = tokens("gemma4v", 768, 16).limit
    assert limit is not None
    assert limit <= 512


def test_who_cuts_by_shape_gets_pictures_of_few_tiles() -> None:
    internvl = tokens("internvl", 448, 14, projector__scale_factor=2)
    lfm2 = tokens("lfm2", 256, 16, projector__scale_factor=2)

    assert internvl.side_px == 796  # 796 x 448 is two tiles and the whole
    assert 5 * 256 <= internvl.most < 1400
    assert lfm2.side_px is not None
    assert lfm2.side_px**2 <= 2 * 512 * 512  # more is cut
    assert lfm2.most < 300


def test_an_unknown_kind_is_a_guess_and_limited() -> None:
    assert tokens("from-next-year", 448, 14) == PictureTokens(
        1024, is_known=False, limit=1024, is_one_batch=True
    )
    assert not picture_tokens({"clip.projector_type": "internvl"}).is_known


def test_of_an_mmproj_that_hears_too_the_eye_counts() -> None:
    metadata = {
        "clip.projector_type": "whisper",
        "clip.vision.projector_type": "mlp",
        "clip.vision.image_size": 336,
        "clip.vision.patch_size": 14,
    }
    assert picture_tokens(metadata).most == 576


@pytest.mark.parametrize(
    ("metadata", "measured_mib"),
    [
        (facts("mlp", 336, 14, embedding_length=1024), 19),
        (facts("gemma3", 896, 14, embedding_length=1152), 104),
        (facts("idefics3", 512, 16, embedding_length=768, projector__scale_factor=4), 18),
        (facts("internvl", 448, 14, embedding_length=1024, projector__scale_factor=2), 28),
        (facts("qwen2.5vl_merger", 560, 14, embedding_length=1280, n_wa_pattern=8), 594),
        (facts("qwen3vl_merger", 768, 16, embedding_length=1152), 248),
        (facts("glm4v", 336, 14, embedding_length=1536), 496),
        (facts("gemma4v", 768, 16, embedding_length=1152), 151),
        (facts("lfm2", 256, 16, embedding_length=1152, projector__scale_factor=2), 18),
    ],
    ids=lambda value: value["clip.projector_type"] if isinstance(value, dict) else str(value),
)
def test_what_a_tower_computes_with_is_about_what_the_logs_tell(
    metadata: dict[str, object], measured_mib: int
) -> None:
    mmproj = GgufHeader(Path("mmproj.gguf"), 0, metadata)
    model = VisionModel(GgufHeader(Path("model.gguf"), 0, {}), mmproj)

    assert model.tower_mib == pytest.approx(measured_mib, abs=110)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_projector_and_name_agree_on_who_takes_several_pictures(family: Family) -> None:
    projector = {"clip.projector_type": family.tower.projector, "clip.minicpmv_version": 3}

    assert takes_several(projector) == ("LLaVA" not in family.name)
    assert takes_several(projector) == name_takes_several(family.name)


@pytest.mark.parametrize(
    ("name", "several"),
    [
        *((name, True) for name in ("qwen2.5vl:7b", "Qwen3VL-8B", "InternVL3_5-8B", "gemma3:4b")),
        *((name, True) for name in ("MiniCPM-V-2_6", "MiniCPM-V-4.5", "LFM2.5-VL-1.6B")),
        *((name, False) for name in ("llava:7b", "bakllava", "MiniCPM-V-2", "Qwen-VL-Chat", "a")),
    ],
)
def test_names_as_servers_tell_them(name: str, several: bool) -> None:
    assert name_takes_several(name) == several


@pytest.mark.parametrize("version", [None, 2, "3"])
def test_a_minicpm_that_knows_one_picture_or_does_not_tell_gets_one(version: object) -> None:
    facts = {"clip.projector_type": "resampler", "clip.minicpmv_version": version}

    assert not takes_several(facts)
