"""Families of vision models as pairs of tiny files with random weights.

A family's pair has the real one's architecture, template, special tokens, picture sizes and
limits, so that a picture costs as many tokens and a llama-server takes the same ways through
its code; only widths, layers and the vocabulary are tiny.
"""

from __future__ import annotations

from families.family import Family
from families.gemma3 import GEMMA3
from families.gemma4 import GEMMA_4
from families.glm4v import GLM_4V
from families.internvl import INTERNVL3
from families.kimi import KIMI_VL
from families.lfm2 import LFM2_VL
from families.llama4 import LLAMA_4
from families.llava import LLAVA, LLAVA_NEXT
from families.minicpm import MINICPM_V
from families.mistral import MISTRAL_SMALL, PIXTRAL
from families.qwen import QWEN25VL
from families.qwen3 import QWEN3_5, QWEN3_VL
from families.smolvlm import SMOLVLM2

FAMILIES: list[Family] = [
    LLAVA,
    LLAVA_NEXT,
    GEMMA3,
    SMOLVLM2,
    INTERNVL3,
    QWEN25VL,
    QWEN3_VL,
    PIXTRAL,
    MISTRAL_SMALL,
    LFM2_VL,
    QWEN3_5,
    GLM_4V,
    GEMMA_4,
    KIMI_VL,
    LLAMA_4,
    MINICPM_V,
]
