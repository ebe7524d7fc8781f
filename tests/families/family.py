"""A family of vision models: how its two files are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from families.text import TextModel, write_text_model
from families.vision import VisionTower, write_mmproj
from families.writing import SHORT_REPLIES, TinyModel


@dataclass(frozen=True)
class Family:
    """Vision models of one make."""

    name: str
    text: TextModel
    tower: VisionTower

    def write(self, folder: Path, quote_bias: float = SHORT_REPLIES) -> TinyModel:
        """Write `model.gguf` and `mmproj.gguf` into `folder`, which is made where needed."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"tiny random {self.name}"
        return TinyModel(
            write_text_model(folder / "model.gguf", self.text, name=name, quote_bias=quote_bias),
            write_mmproj(folder / "mmproj.gguf", self.tower, name=name),
        )
