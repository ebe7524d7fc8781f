"""Finds what decodes films: hardware where it is here, in memory that the model leaves free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cinecut.errors import MachineError, VramError
from cinecut.film.reading.hardware import Hardware, built_in, why_not
from cinecut.inference.vram import fullest_gpu, leaves_unknown
from cinecut.run.settings import Decode

NEEDED_MIB: Final = 1536
"""Free GPU memory below which the model is left alone with it.

A context of CUDA and twenty pictures of 2160p in ten bits come to half of that; the other half is
for what llama-server takes with the first pictures.
"""


def find_hardware(wish: Decode, on_notice: Callable[[str], None]) -> Hardware | None:
    """Return the hardware to decode on, or None for the CPU; why so is told in one sentence.

    To be asked when the model is loaded: no memory is planned for a decoder.
    """
    if wish == "cpu":
        return None
    kinds = built_in() if wish == "auto" else (wish,)
    reasons = {kind: _reason_against(kind) for kind in kinds}
    for kind, reason in reasons.items():
        if reason is None:
            return kind
    told = "; ".join(filter(None, reasons.values())) or "this build of PyAV knows no hardware"
    on_notice(f"Films are decoded by the CPU: {told}.")
    return None


def _reason_against(kind: Hardware) -> str | None:
    if kind not in built_in():
        return f"this build of PyAV knows no {kind}"
    return _too_little_memory(kind) or why_not(kind)


def _too_little_memory(kind: Hardware) -> str | None:
    if kind != "cuda":  # nobody tells, or it is the machine's own
        return None
    try:
        free_mib = fullest_gpu().free_mib
    except MachineError as error:
        return error.detail.rstrip(".")
    except VramError as error:
        return None if leaves_unknown(error, None) else error.detail.rstrip(".")
    if free_mib >= NEEDED_MIB:
        return None
    return (
        f"{kind} wants {NEEDED_MIB} MiB of GPU memory, and {free_mib} MiB are left "
        "(fewer pictures at once leave more: --parallel N)"
    )
