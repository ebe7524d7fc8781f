"""What this machine has to run a model on: a GPU and its memory, or the CPU and main memory."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cinecut.errors import CineCutError, VramError
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.server.program import Device as ServerDevice
from cinecut.inference.server.program import find_llama_server
from cinecut.inference.vram import Gpu, NoGpuError, leaves_unknown, pick_gpu

_NVIDIA_SMI: Final = (
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.total",
    "--format=csv,noheader,nounits",
)
_TIMEOUT_S: Final = 10
# Part of a processor: they draw on main memory, and are no quicker than the cores beside them.
_INTEGRATED: Final = re.compile(
    r"\b(u?hd graphics|iris|intel\(r\) graphics|arc\(tm\) graphics|vega \d+ graphics"
    r"|radeon(\(tm\))?( \d{3}m)? graphics)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Hardware:
    """Where a model runs, and the memory that it may have there."""

    place: Literal["GPU", "CPU"]
    name: str
    """What it is called, for a sentence."""
    memory_mib: int | None
    """Memory of the GPU, or main memory, in all; None where nobody tells."""

    def __str__(self) -> str:
        """Return it in words, such as `NVIDIA GeForce RTX 3090 (24.0 GiB)`."""
        memory = "nobody tells how much" if self.memory_mib is None else _gib(self.memory_mib)
        return f"{self.name} ({memory}{' of main memory' * (self.place == 'CPU')})"


@dataclass(frozen=True)
class GpuDetails:
    """What nvidia-smi tells of a GPU besides its free memory."""

    name: str
    driver: str
    total_mib: int


def look_at_hardware(
    device: Device = "auto", selector: str | None = None, llama_server: str | None = None
) -> Hardware:
    """Return what `describe` would run a model on.

    NVIDIA GPUs are told by nvidia-smi, others by llama-server.

    Args:
        device: "cpu" leaves the GPU alone, "gpu" insists on one.
        selector: Index or UUID of the GPU that the user named.
        llama_server: The program to ask; None takes the one that `describe` takes.

    Raises:
        VramError: The GPU that was named or insisted on is not there.
    """

    def devices() -> Sequence[ServerDevice]:
        try:
            return find_llama_server(llama_server).devices or ()
        except CineCutError:  # a model may be wanted before there is a llama-server
            return ()

    gpu: Gpu | VramError = NoGpuError("The CPU was asked for.")
    if device != "cpu":
        try:
            gpu = pick_gpu(selector, needed_mib=0)
        except VramError as error:
            gpu = error
    return hardware_of(gpu, devices, device, selector)


def hardware_of(
    gpu: Gpu | VramError,
    devices: Callable[[], Sequence[ServerDevice]],
    device: Device,
    selector: str | None,
) -> Hardware:
    """Return the same of facts that are known: the NVIDIA GPU or the error that says why not.

    Args:
        gpu: The NVIDIA GPU that `describe` would take.
        devices: Tells which GPUs llama-server sees; asked only where it matters.
        device: As for `look_at_hardware`.
        selector: As for `look_at_hardware`.

    Raises:
        VramError: The GPU that was named or insisted on is not there.
    """
    if device == "cpu":
        return the_cpu()
    if isinstance(gpu, Gpu):
        if details := gpu_details(gpu):
            return Hardware("GPU", details.name, details.total_mib)
        return Hardware("GPU", f"GPU {gpu.selector}", gpu.free_mib)
    is_unknown = leaves_unknown(gpu, selector)
    if selector is not None and not is_unknown:
        raise gpu
    seen = devices()
    if quick := [each for each in seen if not _INTEGRATED.search(each.description)]:
        # Which of them one is that was named, nobody tells: the smallest is the safe one.
        one = (max if selector is None else min)(quick, key=lambda each: each.total_mib)
        return Hardware("GPU", one.description, one.total_mib)
    if is_unknown:
        return Hardware("GPU", f"GPU {selector}" if selector else "the GPU", None)
    if seen:
        return Hardware("CPU", f"{seen[0].description}, part of the processor", ram_mib())
    if device == "gpu":
        raise gpu
    return the_cpu()


def the_cpu() -> Hardware:
    """Return the CPU, with main memory."""
    return Hardware("CPU", "the CPU", ram_mib())


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


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f} GiB"
