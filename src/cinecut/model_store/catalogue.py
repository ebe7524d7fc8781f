"""The models that CineCut knows by name, from the smallest to the largest.

Sizes, file names and licences are those of the publishers' files; where a size is known in round
numbers only, the entry says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Beside weights and context: measured, as in `cinecut.inference.gpu.slots`.
_SCRATCH_MIB: Final = 775


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
    context_mib: int
    """Memory of one picture's context, from the published shape of the model.

    Layers x KV heads x (key size + value size) x 2 bytes, for 2048 tokens; 1536 for LLaVA-1.5.
    """
    licence: str
    about: str
    terms: str = ""
    """What the licence asks for or forbids beyond naming its owner; empty for nothing."""
    from_gpu_mib: int | None = None
    """Memory of the smallest GPU for which this is the model to take; None for no GPU."""
    from_ram_mib: int | None = None
    """The same for main memory, where there is no GPU."""
    is_size_exact: bool = True

    @property
    def memory_mib(self) -> int:
        """What one picture at a time takes, estimated: weights, context and scratch."""
        return round(self.size_bytes / (1 << 20)) + self.context_mib + _SCRATCH_MIB


_NEEDS: Final = "Needs a llama-server of November 2025 or later."
_NEEDS_QWEN_3_5: Final = "Needs a llama-server of March 2026 or later."

CATALOGUE: Final = (
    CatalogueModel(
        name="smolvlm2-500m",
        repo="ggml-org/SmolVLM2-500M-Video-Instruct-GGUF",
        model_file="SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
        mmproj_file="mmproj-SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
        size_bytes=436_808_704 + 108_785_184,
        context_mib=80,
        licence="Apache-2.0",
        about="Small and plain: for a machine with little memory, and for trying things out.",
        from_gpu_mib=2000,
        from_ram_mib=3500,
    ),
    CatalogueModel(
        name="lfm2.5-vl-1.6b",
        repo="LiquidAI/LFM2.5-VL-1.6B-GGUF",
        model_file="LFM2.5-VL-1.6B-Q4_0.gguf",
        mmproj_file="mmproj-LFM2.5-VL-1.6b-Q8_0.gguf",
        size_bytes=695_752_480 + 583_109_888,
        context_mib=15,
        licence="LFM Open License v1.0",
        about="Small, made for telephones. Needs a llama-server of January 2026 or later.",
        terms="Commercial use is restricted to companies with a yearly revenue below 10 million "
        "dollars.",
    ),
    CatalogueModel(
        name="qwen3-vl-2b",
        repo="Qwen/Qwen3-VL-2B-Instruct-GGUF",
        model_file="Qwen3VL-2B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf",
        size_bytes=1_107_409_952 + 445_053_216,
        context_mib=224,
        licence="Apache-2.0",
        about=f"For a machine without a GPU, and for a GPU of 4 GB. {_NEEDS}",
        from_gpu_mib=3500,
        from_ram_mib=6000,
    ),
    CatalogueModel(
        name="qwen3-vl-4b",
        repo="Qwen/Qwen3-VL-4B-Instruct-GGUF",
        model_file="Qwen3VL-4B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-4B-Instruct-Q8_0.gguf",
        size_bytes=2_497_281_664 + 453_974_304,
        context_mib=288,
        licence="Apache-2.0",
        about=f"For a GPU of 6 GB. {_NEEDS}",
        from_gpu_mib=5500,
    ),
    CatalogueModel(
        name="gemma-4-e2b",
        repo="ggml-org/gemma-4-E2B-it-GGUF",
        model_file="gemma-4-E2B-it-Q4_0.gguf",
        mmproj_file="mmproj-gemma-4-E2B-it-Q8_0.gguf",
        size_bytes=2_841_481_184 + 557_368_064,
        context_mib=20,
        licence="Apache-2.0",
        about="Another one for a GPU of 6 GB, strong in many languages. "
        "Needs a llama-server of April 2026 or later.",
    ),
    CatalogueModel(
        name="qwen3.5-4b",
        repo="unsloth/Qwen3.5-4B-GGUF",
        model_file="Qwen3.5-4B-Q4_K_M.gguf",
        mmproj_file="mmproj-F16.gguf",
        size_bytes=2_740_937_888 + 672_423_616,
        context_mib=114,
        licence="Apache-2.0",
        about=f"Another one for a GPU of 6 GB, which can think. {_NEEDS_QWEN_3_5}",
    ),
    CatalogueModel(
        name="llava-1.5-7b",
        repo="mys/ggml_llava-v1.5-7b",
        model_file="ggml-model-q4_k.gguf",
        mmproj_file="mmproj-model-f16.gguf",
        size_bytes=4_080_000_000 + 624_000_000,
        context_mib=768,
        licence="Llama 2 Community License",
        about="LLaVA-1.5 in 4 bits, of 2023: runs on every llama-server.",
        terms="Commercial use is restricted: not above 700 million users a month, not to train "
        "other models, and the data it was trained on were published for research only.",
        is_size_exact=False,
    ),
    CatalogueModel(
        name="qwen3-vl-8b",
        repo="Qwen/Qwen3-VL-8B-Instruct-GGUF",
        model_file="Qwen3VL-8B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-8B-Instruct-Q8_0.gguf",
        size_bytes=5_027_784_800 + 752_289_728,
        context_mib=288,
        licence="Apache-2.0",
        about=f"For a GPU of 8 to 16 GB. {_NEEDS}",
        from_gpu_mib=7500,
    ),
    CatalogueModel(
        name="qwen3.5-9b",
        repo="unsloth/Qwen3.5-9B-GGUF",
        model_file="Qwen3.5-9B-Q4_K_M.gguf",
        mmproj_file="mmproj-F16.gguf",
        size_bytes=5_680_522_464 + 918_166_080,
        context_mib=114,
        licence="Apache-2.0",
        about=f"Another one for a GPU of 8 to 16 GB, which can think. {_NEEDS_QWEN_3_5}",
    ),
    CatalogueModel(
        name="gemma-3-12b",
        repo="ggml-org/gemma-3-12b-it-GGUF",
        model_file="gemma-3-12b-it-Q4_K_M.gguf",
        mmproj_file="mmproj-model-f16.gguf",
        size_bytes=7_300_574_976 + 854_200_224,
        context_mib=768,
        licence="Gemma Terms of Use",
        about="Another one for a GPU of 12 GB, strong in many languages.",
        terms="Commercial use is restricted by Google's prohibited use policy, which goes with "
        "the model to whoever gets it from you.",
    ),
    CatalogueModel(
        name="qwen3.6-27b",
        repo="unsloth/Qwen3.6-27B-GGUF",
        model_file="Qwen3.6-27B-Q4_K_M.gguf",
        mmproj_file="mmproj-F16.gguf",
        size_bytes=16_817_244_384 + 927_607_360,
        context_mib=278,
        licence="Apache-2.0",
        about="Another one for a GPU of 24 GB, which can think; slower than qwen3-vl-30b. "
        f"{_NEEDS_QWEN_3_5}",
    ),
    CatalogueModel(
        name="qwen3-vl-30b",
        repo="Qwen/Qwen3-VL-30B-A3B-Instruct-GGUF",
        model_file="Qwen3VL-30B-A3B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-30B-A3B-Instruct-Q8_0.gguf",
        size_bytes=18_556_687_168 + 712_148_928,
        context_mib=192,
        licence="Apache-2.0",
        about="For a GPU of 24 GB: a mixture of experts, of which a tenth works on each word. "
        f"{_NEEDS}",
        from_gpu_mib=22_000,
    ),
    CatalogueModel(
        name="qwen3-vl-32b",
        repo="Qwen/Qwen3-VL-32B-Instruct-GGUF",
        model_file="Qwen3VL-32B-Instruct-Q4_K_M.gguf",
        mmproj_file="mmproj-Qwen3VL-32B-Instruct-Q8_0.gguf",
        size_bytes=19_762_150_432 + 772_360_224,
        context_mib=512,
        licence="Apache-2.0",
        about=f"For a GPU of 40 GB and more; slower than qwen3-vl-30b. {_NEEDS}",
        from_gpu_mib=38_000,
    ),
)


def by_name(name: str) -> CatalogueModel | None:
    """Return the model called `name`, in whatever case it is written."""
    return next((model for model in CATALOGUE if model.name == name.lower()), None)


def by_file(repo: str, model_file: str) -> CatalogueModel | None:
    """Return the model whose language half is this file of the hub."""
    return next(
        (model for model in CATALOGUE if (model.repo, model.model_file) == (repo, model_file)),
        None,
    )
