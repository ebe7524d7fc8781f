"""The model's side: GPU memory, GPU lock, llama-server, and pictures in, descriptions out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinecut.inference.engine import LlavaEngine
    from cinecut.inference.gpu.lock import GPU_LOCK
    from cinecut.inference.models import SceneDescription
    from cinecut.inference.vram import VRAM_MINIMUM_MIB, check_vram_free_mib

__all__ = [
    "GPU_LOCK",
    "VRAM_MINIMUM_MIB",
    "LlavaEngine",
    "SceneDescription",
    "check_vram_free_mib",
]

# Whoever reads results needs `models` alone, and is not to wait for what talks to a server.
_HOMES = {
    "GPU_LOCK": "gpu.lock",
    "VRAM_MINIMUM_MIB": "vram",
    "LlavaEngine": "engine",
    "SceneDescription": "models",
    "check_vram_free_mib": "vram",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
