"""Chooses the two files of the model to use: the language model and its mmproj."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cinecut.errors import ModelError
from cinecut.files import is_file, refuse_special
from cinecut.model_store.catalogue import by_name
from cinecut.model_store.fitting import suitability
from cinecut.model_store.hardware import Hardware, look_at_hardware
from cinecut.model_store.search import (
    OWN_FOLDER,
    FoundModel,
    default_models_dir,
    find_models,
    gguf_files,
    is_mmproj,
    packaged_models,
)

PULL_COMMAND: Final = "cinecut models pull"
_LIST_COMMAND: Final = "cinecut models list"


def find_model_files(
    model: Path | None,
    mmproj: Path | None,
    models_dir: Path | None,
    hardware: Callable[[], Hardware] = look_at_hardware,
) -> tuple[Path, Path]:
    """Return the paths of model and mmproj.

    Args:
        model: The model that the user named, by its path or by a name that `cinecut models list`
            shows; a file of that name wins. None takes the only one that is here, or of several
            the one of the catalogue that suits this machine best.
        mmproj: The mmproj that the user named; None takes the model's own.
        models_dir: Folder of models; None takes the default one.
        hardware: Tells what the model would run on; asked only where there are several.

    Raises:
        VramError: `hardware` was asked, and the GPU that was named is not there.
        ModelError: A file is missing, or it is not clear which one is meant.
    """
    if model is None:
        here = find_models(models_dir)
        found = _choose(here, models_dir, hardware, needs_mmproj=mmproj is None)
        model, beside = found.model, found.mmproj
    elif is_file(model):
        beside = None
    else:
        model, beside = _by_name(model.as_posix(), models_dir)
    mmproj = mmproj or beside or _the_only_mmproj(model)
    if not is_file(mmproj):
        reason = _what_it_is(mmproj) or "There is no such file."
        raise ModelError(mmproj, reason, tip=f"Get one: {PULL_COMMAND}")
    return model, mmproj


def find_named_files(named: Mapping[str, Any], models_dir: Path | None) -> tuple[Path, Path] | None:
    """Return model and mmproj that a journal names, if they are on this machine.

    Args:
        named: What the journal says of them: name and size of each. It may say anything.
        models_dir: Folder of models; None takes the default one.
    """
    for found in (*find_models(models_dir), *packaged_models()):
        if found.mmproj and all(
            isinstance(told, dict)
            and (told.get("name"), told.get("size_bytes")) == (path.name, path.stat().st_size)
            for path, told in (
                (found.model, named.get("model")),
                (found.mmproj, named.get("mmproj")),
            )
        ):
            return found.model, found.mmproj
    return None


def _by_name(name: str, models_dir: Path | None) -> tuple[Path, Path | None]:
    entry = by_name(name)
    wanted = entry.name if entry else name
    here = [*packaged_models(), *find_models(models_dir)]
    for found in here:
        if found.name == wanted:
            return found.model, found.mmproj
    if alike := [found for found in here if found.full_name.rpartition("/")[2] == wanted]:
        raise _several(Path(name), alike)
    if entry is not None:
        raise ModelError(
            Path(name),
            "This model is not on this machine.",
            check=_LIST_COMMAND,
            tip=f"Get it: {PULL_COMMAND} {entry.name}",
        )
    raise ModelError(
        Path(name),
        _what_it_is(Path(name)) or "There is no such file, and no model has this name.",
        check=f"{_LIST_COMMAND} shows the names.",
        tip=f"Get one: {PULL_COMMAND}",
    )


def _what_it_is(path: Path) -> str | None:
    """Return what stands where a model file was expected; None for nothing."""
    try:
        refuse_special(path, follow_links=True)
    except OSError as error:
        return error.strerror
    return None


def _choose(
    found: list[FoundModel],
    models_dir: Path | None,
    hardware: Callable[[], Hardware],
    *,
    needs_mmproj: bool,
) -> FoundModel:
    usable = [model for model in found if model.mmproj or not needs_mmproj]
    own = [model for model in usable if model.place == OWN_FOLDER]
    for group in filter(None, (own, usable)):
        if len(group) == 1:
            return group[0]
        known = {model.entry: model for model in group if model.entry}
        if len(known) == 1:
            return next(iter(known.values()))
        if known:
            machine = hardware()
            return known[max(known, key=lambda entry: suitability(entry, machine))]
        raise _several(models_dir or default_models_dir(), group)
    if found:
        raise ModelError(
            found[0].model,
            "It is a language model, and there is no mmproj beside it, or several.",
            tip=f"Name its mmproj: --mmproj FILE, or get a pair: {PULL_COMMAND}",
        )
    raise ModelError(
        models_dir or default_models_dir(),
        "No model was named, and there is none on this machine.",
        check=_LIST_COMMAND,
        tip=f"Get a model with its mmproj: {PULL_COMMAND}",
    )


def _several(place: Path, models: list[FoundModel]) -> ModelError:
    return ModelError(
        place,
        f"There are several: {', '.join(model.name for model in models[:5])}.",
        check=_LIST_COMMAND,
        tip=f"Name the one to use: --model {models[0].name}",
    )


def _the_only_mmproj(model: Path) -> Path:
    mmprojs = [path for path in gguf_files(model.parent) if is_mmproj(path)]
    if len(mmprojs) == 1:
        return mmprojs[0]
    if mmprojs:
        reason = f"There are several: {', '.join(path.name for path in mmprojs[:5])}."
    else:
        reason = "No mmproj was named, and there is none in this folder."
    raise ModelError(
        model.parent,
        reason,
        check="That --mmproj names a GGUF file.",
        tip=f"Name the mmproj: --mmproj FILE, or get a model with its mmproj: {PULL_COMMAND}",
    )
