"""How llama-server is started: what its flags say about pictures and batches."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from cinecut.inference.model.gguf_header import GgufHeader
from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.launch import plan_launch
from cinecut.inference.server.program import ServerProgram

LATE = frozenset({"--image-max-tokens", "--skip-chat-parsing"})
EARLY = frozenset[str]()


def program(flags: frozenset[str]) -> ServerProgram:
    """Return a build that is asked nothing: it has these flags and no GPU of its own."""
    asked = ServerProgram("llama-server")
    vars(asked).update(_flags=flags, devices=[])
    return asked


def model(kind: str, *, merge: int) -> VisionModel:
    """Return a model whose picture costs 64 x 64 patches, of which `merge` a side are one token."""
    text = {"general.architecture": "gemma3", "tokenizer.chat_template": "a template"}
    clip = {
        "general.architecture": "clip",
        "clip.projector_type": kind,
        "clip.vision.image_size": 896,
        "clip.vision.patch_size": 14,
        "clip.vision.projector.scale_factor": merge,
    }
    return VisionModel(
        GgufHeader(Path("model.gguf"), 0, text), GgufHeader(Path("mmproj.gguf"), 0, clip)
    )


@pytest.mark.parametrize("slots", [1, 3, 4, 16])
@pytest.mark.parametrize("on_gpu", [True, False], ids=["GPU", "CPU"])
@pytest.mark.parametrize("flags", [LATE, EARLY], ids=["late", "early"])
@pytest.mark.parametrize(
    ("kind", "merge", "needed"),
    [
        *(("gemma3", 4, 256), ("gemma3", 2, 1024), ("gemma4v", 3, 280), ("new", 2, 1024)),
        *(("qwen3vl_merger", 2, 0), ("idefics3", 2, 0)),  # 1024 tokens and more, one by one
    ],
)
def test_a_batch_holds_a_picture_whose_tokens_see_each_other(
    slots: int, on_gpu: bool, flags: frozenset[str], kind: str, merge: int, needed: int
) -> None:
    command = plan_launch(
        program(flags),
        model(kind, merge=merge),
        Prompt(),
        gpu=None,
        on_gpu=on_gpu,
        slots=slots,
        cores=None,
    ).command
    told = dict(pairwise(command))
    batch, micro_batch = int(told.get("-b", 2048)), int(told.get("-ub", 512))
    gains_by_more = on_gpu and flags == LATE and slots >= 4

    assert batch >= micro_batch >= needed
    assert micro_batch == max(2048 if gains_by_more else 512, needed)
