"""The checks of what surrounds the model: Python, codecs, folders, the lock."""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path
from typing import Final

from cinecut import __version__
from cinecut.doctor.finding import Finding, failure, ok, warning
from cinecut.doctor.machine import Machine
from cinecut.errors import VramError
from cinecut.inference.gpu.preflight import gpu_of_ones_own
from cinecut.model_store.choice import PULL_COMMAND
from cinecut.model_store.search import default_models_dir

_LEAST_FREE_BYTES: Final = 1 << 30


def check_python(machine: Machine) -> Finding:
    """Look at the interpreter."""
    return ok(
        f"{__version__} on Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )


def check_codecs(machine: Machine) -> Finding:
    """Look at what films can be decoded."""
    mend = "pip install --force-reinstall av"
    try:
        from cinecut.film.reading.codecs import decodable, versions
    except ImportError as error:
        return failure(f"PyAV cannot be loaded: {error}", mend)
    known = decodable()
    missing = ", ".join(name for name, is_there in known.items() if not is_there)
    if missing:
        return warning(f"{versions()} cannot decode {missing}", mend)
    return ok(f"{versions()} decodes {', '.join(known)}")


def check_results(machine: Machine) -> Finding:
    """Look at whether results can be written where they would go."""
    folder = (machine.output_dir or Path.cwd()).absolute()
    mend = "cinecut describe FILM --output-dir DIR"
    problem = _problem_writing(folder)
    if problem:
        return failure(f"Results cannot be written to {folder}: {problem}", mend)
    free_bytes = _free_bytes(folder)
    found = f"{folder} can be written, {free_bytes / 1e9:.1f} GB free"
    return ok(found) if free_bytes >= _LEAST_FREE_BYTES else warning(found, mend)


def check_models_dir(machine: Machine) -> Finding:
    """Look at whether a model can be pulled."""
    folder = (machine.models_dir or default_models_dir()).absolute()
    problem = _problem_writing(folder)
    if problem:
        return warning(
            f"No model can be put into {folder}: {problem}", f"{PULL_COMMAND} --models-dir DIR"
        )
    return ok(f"{folder} can be written, {_free_bytes(folder) / 1e9:.1f} GB free")


def check_lock(machine: Machine) -> Finding | None:
    """Look at who has the GPU that `describe` would take, and whether its lock can be taken."""
    if machine.device == "cpu":
        return None
    told: list[str] = []
    try:
        with gpu_of_ones_own(
            machine.selector,
            machine.device,
            lambda: 0,
            skips_check=machine.skips_vram_check,
            task="cinecut doctor",
            on_notice=told.append,
            is_cancelled=lambda: bool(told),
        ):
            return ok("no other CineCut has the GPU; its lock can be taken")
    except VramError:
        return None
    except KeyboardInterrupt:  # how a wait that is given up ends
        return warning(f"describe waits. {told[0]}", "Wait until it ends.")


def _problem_writing(folder: Path) -> str | None:
    """Write to a folder, or where it would be made, and return what prevents it, or None."""
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)) as file:
            file.write(b"CineCut")
    except OSError as error:
        return error.strerror or str(error)
    return None


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _existing(folder: Path) -> Path:
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)
