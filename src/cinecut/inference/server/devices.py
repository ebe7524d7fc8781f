"""Finds the GPU that was chosen among the devices of a llama-server that CUDA does not serve."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from cinecut.errors import VramError
from cinecut.inference.server.program import Device, ServerProgram
from cinecut.inference.vram import NamedGpu, name_of

_CUDA: Final = "CUDA"
_VARIABLE: Final = "LLAMA_ARG_DEVICE"
"""llama-server's own for --device: who sets it has chosen."""
_MAKER: Final = "nvidia "


def device_of(
    program: ServerProgram, gpu: NamedGpu, on_notice: Callable[[str], None]
) -> Device | None:
    """Return which of the server's devices `gpu` is; None where it need not or cannot be told.

    CUDA_VISIBLE_DEVICES chooses for a CUDA build, and one device alone needs no choice. A Vulkan
    or ROCm build lists its own, in its own order, and tells of each no more than a name.

    Args:
        program: The llama-server.
        gpu: The NVIDIA GPU to use.
        on_notice: Called with one sentence for the user where several may be it, or none.
    """
    devices = program.devices or []
    is_clear = len(devices) < 2 or any(device.name.startswith(_CUDA) for device in devices)
    if is_clear or _VARIABLE in os.environ:
        return None
    try:
        name = name_of(gpu)
    except VramError:
        name = ""
    alike = [device for device in devices if name and _plain(device.description) == _plain(name)]
    if len(alike) == 1:
        return alike[0]
    listed = ", ".join(f"{device.name}: {device.description}" for device in alike or devices)
    on_notice(
        f"Which of its devices GPU {gpu.selector} is, this llama-server does not tell, so it uses "
        f"what it likes ({listed}). To choose for it: {_VARIABLE}={devices[0].name}"
    )
    return None


def _plain(name: str) -> str:
    return name.strip().casefold().removeprefix(_MAKER)
