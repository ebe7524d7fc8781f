"""Tells from the log of a llama-server that failed which of the usual reasons it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Reason:
    """One usual reason for a llama-server to end."""

    pattern: re.Pattern[str]
    cause: str
    tip: str


def _reason(pattern: str, cause: str, tip: str) -> Reason:
    return Reason(re.compile(pattern, re.IGNORECASE), cause, tip)


# The first that matches counts, so the telling ones stand before the vague ones: llama-server
# follows every one of them with "failed to load model".
REASONS: Final = (
    _reason(
        r"error while loading shared libraries|cannot open shared object|dyld.*library not loaded",
        "A library that llama-server needs is missing.",
        "Install the missing library, or take the package's own server: "
        "pip install 'cinecut[server]'",
    ),
    _reason(
        r"driver version is insufficient|CUDA driver is a stub|no kernel image is available"
        r"|provided PTX was compiled with an unsupported|incompatible driver",
        "The GPU driver is too old for this llama-server.",
        "Update the GPU driver, take another llama-server, or run without the GPU: --device cpu",
    ),
    _reason(
        r"out of (device )?memory|cudaMalloc failed|ErrorOutOfDeviceMemory|\bOOM\b"
        r"|failed to allocate (\w+ )?buffer|unable to allocate|alloc_tensor_range: failed"
        r"|insufficient memory|failed to create context",
        "Memory ran out while the model was loading.",
        "Use fewer slots (--parallel 1), a smaller model, or run without the GPU: --device cpu",
    ),
    _reason(
        r"couldn't bind|address already in use",
        "The port was taken.",
        "Run the same command again.",
    ),
    _reason(
        r"unknown model architecture|unknown (pre-)?tokenizer|unsupported model architecture"
        r"|unknown projector type",
        "This build of llama-server does not know the model's architecture.",
        "Update llama-server, or use another model: cinecut models list",
    ),
    _reason(
        r"mismatch between text model|n_embd.*mm.*mismatch|embd.*(mmproj|mismatch)"
        r"|you may be using wrong mmproj|mmproj.*(not compatible|does not match)",
        "The mmproj does not fit the model.",
        "Take the mmproj that was published with this model: cinecut models list",
    ),
    _reason(
        r"invalid magic|not within (the )?file bounds|tensor .*data.*(bounds|out of)"
        r"|failed to read (magic|tensor|key)|corrupted or incomplete|wrong (shape|type|number)"
        r"|missing tensor|failed to seek for tensor|gguf_init_from_file|key not found in model"
        r"|file is too short|unexpectedly reached end of file|failed to load clip model",
        "The model file is damaged or incomplete.",
        "Load it anew, with its checksum compared: cinecut models pull",
    ),
)


def find_reason(tail: str) -> Reason | None:
    """Return the usual reason that `tail` shows, or None."""
    return next((reason for reason in REASONS if reason.pattern.search(tail)), None)
