"""Asks nvidia-smi how much GPU memory is free, before llama-server takes it."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import Final

from cinecut.errors import MachineError, VramError

VRAM_MINIMUM_MIB: Final = 6144
"""What LLaVA-1.5-7B in 4 bits needs with one slot: weights, mmproj, context, scratch."""

_FREE_MEMORY: Final = "memory.free"
_INDEX: Final = "index"
_NAME: Final = "name"
_TIMEOUT_S: Final = 20  # a driver that wakes a sleeping GPU takes seconds
_SETTLE_STEP_S: Final = 0.5
_SETTLE_MOST_S: Final = 15


@dataclass(frozen=True)
class NamedGpu:
    """One NVIDIA GPU; nobody may be able to tell how much of its memory is free."""

    selector: str
    """Index in PCI order or UUID, as nvidia-smi's -i takes it."""


@dataclass(frozen=True)
class Gpu(NamedGpu):
    """One NVIDIA GPU and its free memory."""

    free_mib: int


class NoGpuError(VramError):
    """This machine has no NVIDIA GPU, or no driver for one."""


class NoNvidiaSmiError(NoGpuError):
    """There is no nvidia-smi: most likely no GPU either, but a container may hide it alone."""


def leaves_unknown(error: VramError, gpu: str | None) -> bool:
    """Whether the GPU to use may be there and have room for all that this error tells.

    Without nvidia-smi that goes only for a GPU that the user has named.
    """
    if isinstance(error, NoNvidiaSmiError):
        return gpu is not None
    return not isinstance(error, NoGpuError)


def check_vram_free_mib(gpu: str | None = None, needed_mib: int = VRAM_MINIMUM_MIB) -> int:
    """Return the free memory in MiB of the GPU that will be used.

    Args:
        gpu: Index or UUID; None asks CUDA_VISIBLE_DEVICES, and then for the emptiest GPU.
        needed_mib: How much must be free.

    Raises:
        VramError: Less than `needed_mib` is free, or nvidia-smi is missing, slow, failing, or
            does not tell an amount.
    """
    return pick_gpu(gpu, needed_mib).free_mib


def pick_gpu(gpu: str | None = None, needed_mib: int = VRAM_MINIMUM_MIB) -> Gpu:
    """Return the GPU to use; arguments and errors as for `check_vram_free_mib`.

    Memory of a process that has just ended comes back piece by piece: as long as the amount
    grows, this waits for it, 15 s at the most.
    """
    deadline = time.monotonic() + _SETTLE_MOST_S
    best = _emptiest_gpu(gpu)
    while best.free_mib < needed_mib:
        time.sleep(_SETTLE_STEP_S)
        before, best = best, _emptiest_gpu(gpu)
        if best.free_mib <= before.free_mib or time.monotonic() > deadline:
            break
    if best.free_mib < needed_mib:
        raise VramError(
            f"{needed_mib} MiB needed, {best.free_mib} MiB free on GPU {best.selector}.",
            tip="Close other GPU programs, use fewer slots (--parallel 1) or a smaller model, "
            "or run without the GPU: --device cpu",
        )
    return best


def parse_free_mib(text: str) -> list[int | None]:
    """Return one amount a line of nvidia-smi's answer; None where the driver does not tell."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [int(line) if line.isascii() and line.isdigit() else None for line in lines]


def index_of(gpu: NamedGpu) -> str:
    """Return the index of a GPU in PCI order, whichever of its names was used to choose it.

    Raises:
        VramError: nvidia-smi does not tell.
    """
    if gpu.selector.isdigit():
        return gpu.selector
    return _ask_nvidia_smi(_INDEX, gpu.selector).strip()


def name_of(gpu: NamedGpu) -> str:
    """Return what a GPU is called, such as `NVIDIA GeForce RTX 3090`.

    Raises:
        VramError: nvidia-smi does not tell.
    """
    return _ask_nvidia_smi(_NAME, gpu.selector).strip()


def fullest_gpu() -> Gpu:
    """Return the GPU with the least free memory of those that may be used.

    Raises:
        VramError: nvidia-smi is missing, slow, failing, or does not tell an amount.
    """
    return min(_gpus(None), key=lambda candidate: candidate.free_mib)


def _emptiest_gpu(gpu: str | None) -> Gpu:
    return max(_gpus(gpu), key=lambda candidate: candidate.free_mib)


def _gpus(gpu: str | None) -> list[Gpu]:
    if selectors := _selectors(gpu):
        # Each by itself: nvidia-smi answers in its own order, whatever the order after -i.
        answers = {name: parse_free_mib(_ask_nvidia_smi(_FREE_MEMORY, name)) for name in selectors}
        amounts = {name: answer[0] for name, answer in answers.items() if answer}
    else:
        answer = parse_free_mib(_ask_nvidia_smi(_FREE_MEMORY))
        amounts = {str(index): amount for index, amount in enumerate(answer)}
    gpus = [Gpu(name, free) for name, free in amounts.items() if free is not None]
    if not amounts:
        raise NoGpuError("nvidia-smi lists no GPU.", check="nvidia-smi -L")
    if not gpus:
        raise VramError(
            "nvidia-smi does not tell how much memory is free on this GPU "
            "(usual where CPU and GPU share one memory).",
            tip="If you know that the model fits, leave the check out: --skip-vram-check",
        )
    return gpus


def _selectors(gpu: str | None) -> list[str]:
    """Return the GPUs to ask about; an empty list means all of them."""
    chosen = gpu if gpu is not None else os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return []
    selectors = [part.strip() for part in chosen.split(",") if part.strip()]
    if not selectors or "-1" in selectors:
        raise NoGpuError(
            "CUDA_VISIBLE_DEVICES hides every GPU.",
            check="echo $CUDA_VISIBLE_DEVICES",
            tip="Unset CUDA_VISIBLE_DEVICES, or run without the GPU: --device cpu",
        )
    return selectors


def _ask_nvidia_smi(what: str, selector: str | None = None) -> str:
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    command += ["-i", selector] if selector else []
    try:
        # check=True and not a look at returncode: what failed is then told by one exception.
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except FileNotFoundError as error:
        raise NoNvidiaSmiError(
            "nvidia-smi was not found: no NVIDIA GPU, or no driver for it.",
            check="nvidia-smi",
            tip="Install the NVIDIA driver, or run without the GPU: --device cpu",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise VramError(f"nvidia-smi gave no answer within {_TIMEOUT_S} s.") from error
    except subprocess.CalledProcessError as error:
        said = (error.stdout or "") + (error.stderr or "")
        if "No devices were found" in said:
            raise NoGpuError("nvidia-smi lists no GPU.", check="nvidia-smi -L") from error
        raise VramError(
            f"nvidia-smi failed with exit code {error.returncode}: {said.strip() or 'no output'}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        if told := MachineError.of(error):
            raise told from error
        raise VramError(f"nvidia-smi could not be run: {error}") from error
    return answer.stdout
