"""The models that CineCut knows by name.

Sizes, file names and licences are those that the publishers' pages tell; where a size is told in
round numbers only, the entry says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class CatalogueModel:
    """A vision model that llama-server serves, and where the hub has its two files."""

    name: str
    repo: str
    """The hub's repository, `OWNER/NAME`."""
    model_file: str
    mmproj_file: str
    size_bytes: int
    """Both files together."""
    memory_mib: int
    """GPU memory for one slot, by the estimate of `cinecut.inference.gpu.slots.needed_mib`."""
    licence: str
    about: str
    is_size_exact: bool = True


CATALOGUE: Final = (
    CatalogueModel(
        name="llava-1.5-7b",
        repo="mys/ggml_llava-v1.5-7b",
        model_file="ggml-model-q4_k.gguf",
        mmproj_file="mmproj-model-f16.gguf",
        size_bytes=4_080_000_000 + 624_000_000,
        memory_mib=6144,
        licence="Llama 2 Community License",
        about="LLaVA-1.5 in 4 bits: what CineCut is measured with.",
        is_size_exact=False,
    ),
    CatalogueModel(
        name="smolvlm2-500m",
        repo="ggml-org/SmolVLM2-500M-Video-Instruct-GGUF",
        model_file="SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
        mmproj_file="mmproj-SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
        size_bytes=436_808_704 + 108_785_184,
        memory_mib=1375,
        licence="Apache-2.0",
        about="Small and plain: for a machine without a GPU, and for trying things out.",
    ),
    CatalogueModel(
        name="qwen3-vl-4b",
        repo="Qwen/Qwen3-VL-4B-Instruct-GGUF",
        model_file="Qwen3VL-4B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-4B-Instruct-Q8_0.gguf",
        size_bytes=2_497_281_664 + 453_974_304,
        memory_mib=3878,
        licence="Apache-2.0",
        about="Newer, for a GPU of 6 GB. Needs a llama-server of November 2025 or later.",
    ),
    CatalogueModel(
        name="qwen3-vl-8b",
        repo="Qwen/Qwen3-VL-8B-Instruct-GGUF",
        model_file="Qwen3VL-8B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-8B-Instruct-Q8_0.gguf",
        size_bytes=5_027_784_800 + 752_289_728,
        memory_mib=6575,
        licence="Apache-2.0",
        about="Newer, for a GPU of 8 GB. Needs a llama-server of November 2025 or later.",
    ),
)

DEFAULT: Final = CATALOGUE[0]
"""What `cinecut models pull` fetches, and what `describe` prefers, if nobody says otherwise."""


def by_name(name: str) -> CatalogueModel | None:
    """Return the model called `name`, in whatever case it is written."""
    return next((model for model in CATALOGUE if model.name == name.lower()), None)


def by_file(repo: str, model_file: str) -> CatalogueModel | None:
    """Return the model whose language half is this file of the hub."""
    return next(
        (model for model in CATALOGUE if (model.repo, model.model_file) == (repo, model_file)),
        None,
    )
