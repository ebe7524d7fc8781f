"""Says whether an mmproj was made for a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cinecut.errors import ModelError
from cinecut.inference.model.picture_tokens import projector_type
from cinecut.inference.model.vision_model import VisionModel

# The last tensor of the projector, by kind; the end of its shape that is as wide as the model.
# From the function clip_n_mmproj_embd of llama.cpp's tools/mtmd/clip.cpp.
_OUTPUT_TENSORS: Final = {
    "mlp": "mm.2.bias",
    "qwen2vl_merger": "mm.2.bias",
    "qwen2.5vl_merger": "mm.2.bias",
    "qwen3vl_merger": "mm.2.bias",
    "idefics3": "mm.model.fc.weight",
}


def widths(model: VisionModel) -> tuple[int, int] | None:
    """Return the width of the language model and the one that the mmproj's output has.

    They fit each other if both are the same. None where a file does not tell, or the kind of
    projector is not known here.

    Raises:
        ModelError: The mmproj is damaged.
    """
    width = model.model.number(f"{model.model.architecture}.embedding_length")
    tensor = _OUTPUT_TENSORS.get(projector_type(model.mmproj.metadata))
    if width is None or tensor is None:
        return None
    shape = _shapes(model.mmproj.path).get(tensor)
    return (width, shape[-1]) if shape else None


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from gguf import GGUFReader  # brings numpy: 0.5 s

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelError(path, f"Its tensors cannot be listed: {error}") from error
    return {tensor.name: tuple(int(size) for size in tensor.shape) for tensor in reader.tensors}
