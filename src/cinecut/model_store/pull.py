"""Brings a model and its mmproj from the hub to this machine, or finds that they are here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from filelock import FileLock, Timeout

from cinecut.errors import DownloadError, UsageError
from cinecut.model_store.catalogue import CATALOGUE, CatalogueModel
from cinecut.model_store.download import fetch, is_intact
from cinecut.model_store.hub import RemoteFile, look_up
from cinecut.model_store.search import OWN_FOLDER, FoundModel, find_models, repo_folder


@dataclass(frozen=True)
class Wanted:
    """A model on the hub."""

    repo: str
    model_file: str
    mmproj_file: str

    def __post_init__(self) -> None:
        """Refuse what names no pair of GGUF files.

        Raises:
            UsageError: A name is not as it should be.
        """
        if len([part for part in self.repo.split("/") if part.strip(".")]) != 2:
            raise UsageError(f"--repo {self.repo}: its form is OWNER/NAME.")
        for file in (self.model_file, self.mmproj_file):
            path = PurePosixPath(file)
            if path.suffix != ".gguf":
                raise UsageError(f"{file}: llama-server reads GGUF files, NAME.gguf.")
            if path.is_absolute() or ".." in path.parts:
                raise UsageError(f"{file}: it is named by its place in the repository.")

    @classmethod
    def of(cls, entry: CatalogueModel) -> Wanted:
        """Return what a model of the catalogue is made of."""
        return cls(entry.repo, entry.model_file, entry.mmproj_file)

    @property
    def entry(self) -> CatalogueModel | None:
        """The model of the catalogue that this is, if it is one."""
        return next((entry for entry in CATALOGUE if Wanted.of(entry) == self), None)

    @property
    def name(self) -> str:
        """What the model is called here."""
        return self.entry.name if self.entry else PurePosixPath(self.model_file).stem

    @property
    def folder(self) -> PurePosixPath:
        """Its folder in the models folder, which no other mmproj and no file of its names shares.

        Models that have one mmproj in common have it there once.
        """
        if self.entry:
            return PurePosixPath(self.entry.name)
        mmproj = PurePosixPath(self.mmproj_file).with_suffix("")
        return repo_folder(self.repo) / mmproj / PurePosixPath(self.model_file).parent

    def is_at(self, found: FoundModel) -> bool:
        """Whether a model that was found is this one, as far as its place tells."""
        model, mmproj = PurePosixPath(self.model_file), PurePosixPath(self.mmproj_file)
        if found.mmproj is None or not found.mmproj.name.endswith(mmproj.name):
            return False
        repo = PurePosixPath(repo_folder(self.repo))
        places = {repo / model}
        if found.place == OWN_FOLDER:
            # Earlier versions put all that is from one repository into one folder.
            places = {self.folder / model.name, repo / model.name}
        return found.full_name in {str(place.with_suffix("")) for place in places}


@dataclass(frozen=True)
class Progress:
    """How far the work on one file is."""

    file: str
    step: Literal["loading", "comparing"]
    """Its bytes come, or its checksum is computed."""
    done_bytes: int
    total_bytes: int


def pull(
    wanted: Wanted,
    models_dir: Path,
    on_progress: Callable[[Progress], None],
    on_notice: Callable[[str], None],
) -> FoundModel:
    """Return `wanted` as it is on this machine, after loading what is missing or damaged.

    Files that are here, also in the caches of other tools, are compared with the hub's checksums
    and not loaded again. Without a connection they are taken as they are.

    Args:
        wanted: The model.
        models_dir: Where models are kept: in a folder each.
        on_progress: Told several times a second while something is loaded or compared.
        on_notice: Told what the user should know, in a sentence.

    Raises:
        DownloadError: A file could not be had. What was loaded of it is kept and gone on with,
            except for a file with a wrong checksum.
    """
    here = next((found for found in find_models(models_dir) if wanted.is_at(found)), None)
    try:
        remotes = [look_up(wanted.repo, file) for file in (wanted.model_file, wanted.mmproj_file)]
    except DownloadError as error:
        if here is None or here.mmproj is None:
            raise
        on_notice(f"{wanted.name} is here, and could not be compared with the hub's: {error.cause}")
        return here
    for remote in remotes:
        if remote.sha256 is None:
            on_notice(f"{remote.path}: the hub tells no checksum; only its size is compared.")
    folder = models_dir / wanted.folder
    is_elsewhere = here is not None and here.model.parent != folder
    if here is not None and is_elsewhere and _are_intact(here, remotes, on_progress):
        return here
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".pull.lock", timeout=0):
            model, mmproj = (_bring(remote, folder, on_progress) for remote in remotes)
    except Timeout as error:
        raise DownloadError(
            wanted.model_file,
            "Another cinecut models pull is loading it.",
            check="That one, in its terminal.",
            tip="Wait for it to end.",
        ) from error
    except OSError as error:
        raise DownloadError(
            folder,
            f"The folder cannot be written: {error.strerror or error}",
            check="That you may write to the models folder.",
            tip="Choose another place: --models-dir DIR",
        ) from error
    pulled = FoundModel(wanted.name, OWN_FOLDER, model, mmproj, wanted.name, wanted.entry)
    return next((found for found in find_models(models_dir) if found.model == model), pulled)


def _are_intact(
    here: FoundModel, remotes: list[RemoteFile], on_progress: Callable[[Progress], None]
) -> bool:
    paths = [path for path in (here.model, here.mmproj) if path]
    return len(paths) == len(remotes) and all(
        is_intact(path, remote, _teller(remote, "comparing", on_progress))
        for path, remote in zip(paths, remotes, strict=True)
    )


def _bring(remote: RemoteFile, folder: Path, on_progress: Callable[[Progress], None]) -> Path:
    target = folder / PurePosixPath(remote.path).name
    comparing = _teller(remote, "comparing", on_progress)
    if not (target.is_file() and is_intact(target, remote, comparing)):
        target.unlink(missing_ok=True)
        fetch(remote, target, _teller(remote, "loading", on_progress), comparing)
    return target


def _teller(
    remote: RemoteFile,
    step: Literal["loading", "comparing"],
    on_progress: Callable[[Progress], None],
) -> Callable[[int], None]:
    name = PurePosixPath(remote.path).name
    return lambda done: on_progress(Progress(name, step, done, remote.size_bytes))
