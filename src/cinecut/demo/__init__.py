"""Holds the demo: a tiny trained model, the film it is shown on, and what it may truly say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent

MODEL_PATH: Final = _FOLDER / "cinecut-demo.gguf"
"""The language model of the demo."""
MMPROJ_PATH: Final = _FOLDER / "cinecut-demo-mmproj.gguf"
"""Its vision tower and projector."""
FILM_PATH: Final = _FOLDER / "film.mkv"
"""Half a minute in eight scenes, with a subtitle track."""
MODEL_CARD_PATH: Final = _FOLDER / "MODEL_CARD.md"
"""What the model is, what it was trained on, and how true it is."""
