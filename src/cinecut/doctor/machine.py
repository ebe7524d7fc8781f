"""The facts of this machine that several checks look at, each asked for once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cinecut.errors import CineCutError, ModelError, VramError
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.model.vision_model import VisionModel, read_vision_model
from cinecut.inference.server.program import ServerProgram, find_llama_server
from cinecut.inference.vram import Gpu, NoGpuError, pick_gpu
from cinecut.model_store.choice import find_model_files
from cinecut.model_store.hardware import Hardware, hardware_of


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
    def files(self) -> tuple[Path, Path] | CineCutError:
        """The model and the mmproj that `describe` would take."""
        try:
            return find_model_files(self.model, self.mmproj, self.models_dir, self._hardware)
        except CineCutError as error:
            return error

    @cached_property
    def vision_model(self) -> VisionModel | CineCutError:
        """What these files tell."""
        if isinstance(self.files, CineCutError):
            return self.files
        try:
            return read_vision_model(*self.files)
        except ModelError as error:
            return error

    def _hardware(self) -> Hardware:
        """What the model would run on, of the facts that are known here."""
        program = self.program
        devices = () if isinstance(program, CineCutError) else program.devices or ()
        return hardware_of(self.gpu, lambda: devices, self.device, self.selector)
