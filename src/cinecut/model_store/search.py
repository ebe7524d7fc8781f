"""Looks for models on this machine: in CineCut's own folder and in the caches of other tools."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path, user_data_path

from cinecut.demo import MMPROJ_PATH, MODEL_PATH
from cinecut.model_store.catalogue import CATALOGUE, CatalogueModel, by_file, by_name
from cinecut.model_store.hub import cache_folder

OWN_FOLDER: Final = "models folder"
HUB_CACHE: Final = "Hugging Face cache"
LLAMA_CACHE: Final = "llama.cpp cache"
PACKAGE: Final = "CineCut package"

_LATER_PART: Final = re.compile(r"-(?!00001-)\d{5}-of-\d{5}\.gguf$")
"""llama-server is given the first part of a split model and finds the others."""

_MMPROJ_OF: Final = {entry.model_file: entry.mmproj_file for entry in CATALOGUE}


@dataclass(frozen=True)
class FoundModel:
    """A model that is on this machine."""

    name: str
    """Its name in the catalogue, else its file's name without `.gguf`; with the folders before it
    where several models have files of that name."""
    place: str
    model: Path
    mmproj: Path | None
    """None where it has no mmproj, or it is not clear which one is its own."""
    full_name: str
    """The folders that tell it from all others, the first after the repository that it is from, and
    its file's name without `.gguf`, with slashes."""
    entry: CatalogueModel | None = None

    @property
    def size_bytes(self) -> int:
        """Size of its files; of a split model, of the first part."""
        return sum(path.stat().st_size for path in (self.model, self.mmproj) if path)


@dataclass(frozen=True)
class KnownModel:
    """A model of the catalogue, or one that is on this machine, or both."""

    name: str
    entry: CatalogueModel | None
    found: FoundModel | None


def default_models_dir() -> Path:
    """Return the folder where `cinecut models pull` puts models, and where they are looked for."""
    return user_data_path("cinecut", appauthor=False) / "models"


def find_models(models_dir: Path | None = None) -> list[FoundModel]:
    """Return the models on this machine, CineCut's own before those of other tools' caches.

    A model that is in several places is told once, from the first of them; of the caches only
    what has an mmproj. Models of one file name that are from different repositories, or lie in
    different folders of CineCut's own, are different ones, each with a name of its own.

    Args:
        models_dir: CineCut's folder of models; None takes the default one.
    """
    llama_cache = _llama_cache()
    found = (
        *_in_own_folder(models_dir or default_models_dir()),
        *_in_hub_cache(cache_folder(), HUB_CACHE),
        *_in_hub_cache(llama_cache, LLAMA_CACHE),  # LLAMA_CACHE in builds since April 2026
        *_in_flat_cache(llama_cache),
    )
    kept: list[FoundModel] = []
    for model in sorted(found, key=lambda model: model.mmproj is None):
        if not any(_is_copy(model, other) for other in kept):
            kept.append(model)
    names = Counter(model.name for model in kept)
    return [
        model if model.entry or names[model.name] == 1 else replace(model, name=model.full_name)
        for model in kept
    ]


def packaged_models() -> list[FoundModel]:
    """Return the models that come with CineCut: used where they are named, and never by default."""
    return [FoundModel("demo", PACKAGE, MODEL_PATH, MMPROJ_PATH, "demo")]


def known_models(models_dir: Path | None = None) -> list[KnownModel]:
    """Return the catalogue in its order, what else `find_models` finds, and the package's own."""
    found = {model.name: model for model in find_models(models_dir)}
    listed = [KnownModel(entry.name, entry, found.pop(entry.name, None)) for entry in CATALOGUE]
    others = [*found.values(), *packaged_models()]
    return [*listed, *(KnownModel(model.name, None, model) for model in others)]


def gguf_files(folder: Path) -> list[Path]:
    """Return the GGUF files that lie in `folder` itself, by name; none if it cannot be read."""
    try:
        files = (path for path in folder.iterdir() if path.suffix.lower() == ".gguf")
        return sorted(
            path for path in files if path.is_file() and not _LATER_PART.search(path.name)
        )
    except OSError:
        return []


def is_mmproj(path: Path) -> bool:
    """Whether a file is an mmproj, by its name: so do all publishers call them."""
    return "mmproj" in path.name.lower()


def repo_folder(repo: str) -> str:
    """Return `OWNER/NAME` as the name of a folder."""
    return repo.replace("/", "--")


def _is_copy(model: FoundModel, other: FoundModel) -> bool:
    """Whether two are the same model in two places, as far as names tell."""
    if model.entry or other.entry or model.name != other.name:
        return model.entry is not None and model.entry == other.entry
    own, cached = sorted((model, other), key=lambda found: found.place != OWN_FOLDER)
    if own.place == cached.place == OWN_FOLDER:
        return False
    folder, repo = (found.full_name.split("/")[0] for found in (own, cached))
    if own.place == OWN_FOLDER:
        return "--" not in folder or folder == repo
    return own.full_name == cached.full_name


def _in_own_folder(folder: Path) -> Iterator[FoundModel]:
    for inner in _folders_below(folder):
        entry = by_name(inner.name)
        for model, mmproj in _pairs(gguf_files(inner)):
            known = entry if entry and model.name == entry.model_file else None
            name = known.name if known else model.stem
            full_name = model.relative_to(folder).with_suffix("").as_posix()
            yield FoundModel(name, OWN_FOLDER, model, mmproj, full_name, known)


def _in_hub_cache(cache: Path, place: str) -> Iterator[FoundModel]:
    """The hub's layout: models--OWNER--NAME/snapshots/REVISION/, the latest revision first."""
    for folder in _matching(cache, "models--*--*"):
        repo = folder.name.removeprefix("models--")
        snapshots = _matching(folder, "snapshots/*")
        for snapshot in sorted(snapshots, key=_changed_s, reverse=True):
            for inner in _folders_below(snapshot):
                for model, mmproj in _pairs(gguf_files(inner)):
                    if mmproj:
                        file = model.relative_to(snapshot).with_suffix("").as_posix()
                        yield _cached(place, model, mmproj, repo, file)


def _in_flat_cache(cache: Path) -> Iterator[FoundModel]:
    """llama.cpp's older layout: OWNER_NAME_FILE.gguf, all in one folder."""
    files = gguf_files(cache)
    mmprojs = {
        path.name[: path.name.lower().index("mmproj")]: path for path in files if is_mmproj(path)
    }
    for model in files:
        # The longest: a repository's name may begin with another's.
        prefixes = [prefix for prefix in mmprojs if prefix and model.name.startswith(prefix)]
        if prefixes and not is_mmproj(model):
            prefix = max(prefixes, key=len)
            repo = prefix.removesuffix("_").replace("_", "--", 1)
            file = model.stem.removeprefix(prefix)
            yield _cached(LLAMA_CACHE, model, mmprojs[prefix], repo, file)


def _cached(place: str, model: Path, mmproj: Path, repo: str, file: str) -> FoundModel:
    """Return a pair of another tool's cache, by its place on the hub: `file` without `.gguf`."""
    entry = by_file(repo.replace("--", "/", 1), f"{file}.gguf")
    name = entry.name if entry else file.rpartition("/")[2]
    return FoundModel(name, place, model, mmproj, f"{repo}/{file}", entry)


def _pairs(files: Sequence[Path]) -> Iterator[tuple[Path, Path | None]]:
    """Give each model the mmproj beside it: of several its own in the catalogue, or none."""
    mmprojs = [path for path in files if is_mmproj(path)]
    for model in files:
        if model not in mmprojs:
            own = [path for path in mmprojs if path.name == _MMPROJ_OF.get(model.name)]
            beside = own or mmprojs
            yield model, beside[0] if len(beside) == 1 else None


def _llama_cache() -> Path:
    named = os.environ.get("LLAMA_CACHE")
    # opinion: without it Windows would get another folder inside, which llama.cpp has not.
    return Path(named) if named else user_cache_path("llama.cpp", appauthor=False, opinion=False)


def _folders_below(folder: Path) -> list[Path]:
    return [folder, *(path for path in _matching(folder, "**/*") if path.is_dir())]


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
