"""The model's side: GPU memory, GPU lock, llama-server, and pictures in, descriptions out."""

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
