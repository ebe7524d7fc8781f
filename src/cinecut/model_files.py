"""Finds the two files of a vision model: the language model and its mmproj."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from cinecut.errors import ModelError

PULL_COMMAND: Final = "cinecut models pull"


def default_models_dir() -> Path:
    """Return the folder where `cinecut models pull` puts models, and where they are looked for."""
    return user_data_path("cinecut", appauthor=False) / "models"


def find_model_files(
    model: Path | None, mmproj: Path | None, models_dir: Path | None
) -> tuple[Path, Path]:
    """Return the paths of model and mmproj.

    Args:
        model: The model that the user named; None looks into `models_dir`.
        mmproj: The mmproj that the user named; None looks beside the model.
        models_dir: Folder of models; None takes the default one.

    Raises:
        ModelError: A file is missing, or it is not clear which one is meant.
    """
    if model is None:
        folder = models_dir or default_models_dir()
        models = [path for path in _gguf_files(folder) if not _is_mmproj(path)]
        model = _the_only(models, folder, "model", "--model")
    if not model.is_file():
        raise ModelError(model, "There is no such file.", tip=f"Get one: {PULL_COMMAND}")
    if mmproj is None:
        beside = [path for path in _gguf_files(model.parent, deep=False) if _is_mmproj(path)]
        mmproj = _the_only(beside, model.parent, "mmproj", "--mmproj")
    if not mmproj.is_file():
        raise ModelError(mmproj, "There is no such file.", tip=f"Get one: {PULL_COMMAND}")
    return model, mmproj


def _the_only(found: list[Path], folder: Path, what: str, option: str) -> Path:
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found[:5])
        raise ModelError(
            folder, f"There are several: {names}.", tip=f"Name the {what}: {option} FILE"
        )
    raise ModelError(
        folder,
        f"No {what} was named, and there is none in this folder.",
        check=f"That {option} names a GGUF file.",
        tip=f"Get a model with its mmproj: {PULL_COMMAND}",
    )


def _gguf_files(folder: Path, *, deep: bool = True) -> list[Path]:
    return sorted((folder.rglob if deep else folder.glob)("*.gguf"))


def _is_mmproj(path: Path) -> bool:
    return "mmproj" in path.name.lower()
