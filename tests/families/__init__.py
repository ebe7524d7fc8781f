"""Families of vision models as pairs of tiny files with random weights.

A family's pair has the real one's architecture, template, special tokens, picture sizes and
limits, so that a picture costs as many tokens and a llama-server takes the same ways through
its code; only widths, layers and the vocabulary are tiny.
"""

from __future__ import annotations

from families.family import Family
from families.llava import LLAVA, LLAVA_NEXT

FAMILIES: list[Family] = [
    LLAVA,
    LLAVA_NEXT,
]
