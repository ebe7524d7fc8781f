"""The facts of this machine that several checks look at, each asked for once."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cinecut.errors import CineCutError, ModelError, VramError
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.model.vision_model import VisionModel, read_vision_model
from cinecut.inference.server.program import ServerProgram, find_llama_server
from cinecut.inference.vram import Gpu, NoGpuError, pick_gpu
from cinecut.model_store.choice import find_model_files

_NVIDIA_SMI: Final = (
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.total",
    "--format=csv,noheader,nounits",
)
_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class GpuDetails:
    """What nvidia-smi tells of a GPU besides its free memory."""

    name: str
    driver: str
    total_mib: int


@dataclass
class Machine:
    """This machine, and what the user would tell `describe`.

    A fact that cannot be had is the error that says why: so the question is put only once, also
    to a tool that hangs.
    """

    model: Path | None = None
    mmproj: Path | None = None
    models_dir: Path | None = None
    llama_server: str | None = None
    output_dir: Path | None = None
    server_url: str | None = None
    server_model: str | None = None
    """Which model of the server that runs already."""
    server_prefers: str | None = None
    api_key: str | None = field(default=None, repr=False)
    device: Device = "auto"
    selector: str | None = None
    """Index or UUID of the GPU that the user named."""
    skips_vram_check: bool = False

    @cached_property
    def program(self) -> ServerProgram | CineCutError:
        """The llama-server, after it has answered."""
        try:
            program = find_llama_server(self.llama_server)
            program.version  # noqa: B018 - asked now: a program that cannot start says so here
        except CineCutError as error:
            return error
        return program

    @cached_property
    def gpu(self) -> Gpu | VramError:
        """The NVIDIA GPU that `describe` would take."""
        if self.device == "cpu":
            return NoGpuError("The CPU was asked for.")
        try:
            return pick_gpu(self.selector, needed_mib=0)
        except VramError as error:
            return error

    @cached_property
    def files(self) -> tuple[Path, Path] | ModelError:
        """The model and the mmproj that `describe` would take."""
        try:
            return find_model_files(self.model, self.mmproj, self.models_dir)
        except ModelError as error:
            return error

    @cached_property
    def vision_model(self) -> VisionModel | ModelError:
        """What these files tell."""
        if isinstance(self.files, ModelError):
            return self.files
        try:
            return read_vision_model(*self.files)
        except ModelError as error:
            return error


def gpu_details(gpu: Gpu) -> GpuDetails | None:
    """Return what nvidia-smi tells of `gpu`, or None."""
    try:
        answer = subprocess.run(
            [*_NVIDIA_SMI, "-i", gpu.selector],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return parse_gpu_details(answer.stdout)


def parse_gpu_details(text: str) -> GpuDetails | None:
    """Return what stands in a line of nvidia-smi's answer; None where it is another."""
    fields = [part.strip() for part in text.strip().rsplit(",", 2)]
    if len(fields) != 3 or not fields[2].isdecimal():
        return None
    return GpuDetails(fields[0], fields[1], int(fields[2]))


def ram_mib() -> int | None:
    """Return how much memory this machine has in MiB, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None
