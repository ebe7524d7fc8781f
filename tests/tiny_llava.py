"""Writes a random-weight model pair of LLaVA-1.5's shape: under 1 MB, answers on any CPU.

A real llama-server loads it and speaks its whole protocol with it; what it says is word salad.
`python tests/tiny_llava.py DIR` writes `model.gguf` and `mmproj.gguf` into DIR.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from families import text
from families.llava import LLAVA, VICUNA
from families.writing import LLAVA_REPLIES, SHORT_REPLIES, TinyModel

__all__ = ["LLAVA_REPLIES", "SHORT_REPLIES", "TinyModel"]


def write_pair(folder: Path, quote_bias: float = SHORT_REPLIES) -> TinyModel:
    """Write `model.gguf` and `mmproj.gguf` into `folder`, which is made where needed."""
    return LLAVA.write(folder, quote_bias)


def write_text_model(
    path: Path,
    *,
    width: int = text.WIDTH,
    chat_template: str | None = VICUNA,
    architecture: str = "llama",
) -> Path:
    """Write the language half.

    Another `width` than the default does not fit the mmproj, a `chat_template` of None is how
    the first LLaVA files were published, and another `architecture` is one nobody knows.
    """
    changed = replace(
        LLAVA.text,
        architecture=architecture,
        template=chat_template,
        width=width,
        head_width=width // LLAVA.text.heads,
    )
    return text.write_text_model(path, changed, name=f"tiny random {LLAVA.name}")


def write_truncated(path: Path, whole: Path) -> Path:
    """Write the first three quarters of the file `whole`, as a broken-off download leaves it."""
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    return path


if __name__ == "__main__":
    written = write_pair(Path(sys.argv[1]))
    print(f"{written.model}\n{written.mmproj}")
