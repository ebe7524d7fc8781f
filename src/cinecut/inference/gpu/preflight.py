"""Takes the GPU for one engine: is there one, is it free, is its memory enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Literal

from cinecut.errors import VramError
from cinecut.inference.gpu.lock import GPU_LOCK, LockHolder, between_processes, in_words
from cinecut.inference.vram import Gpu, NamedGpu, NoGpuError, index_of, leaves_unknown, pick_gpu

Device = Literal["auto", "gpu", "cpu"]
"""Where the model is to run: "gpu" insists on one, "auto" takes what is there."""

_SELECTOR: Final = re.compile(r"[0-9]+|(?:GPU|MIG)-[0-9A-Za-z/-]+")
_UNKNOWN_GPU_TIP: Final = (
    "Name a llama-server that was built for your GPU: --llama-server PATH, or run without it: "
    "--device cpu"
)


@contextmanager
def gpu_of_ones_own(
    selector: str | None,
    device: Device,
    needed_mib: Callable[[], int],
    *,
    skips_check: bool,
    task: str,
    on_notice: Callable[[str], None],
    is_cancelled: Callable[[], bool],
) -> Iterator[NamedGpu | NoGpuError]:
    """Hold the locks of the GPU to use, and yield it; or yield the error that says why not.

    Args:
        selector: Index or UUID; None takes the emptiest one that may be used.
        device: "cpu" leaves the GPU alone, and then only the lock inside the process is held.
        needed_mib: Tells how much of its memory must be free, once it is ours.
        skips_check: Go on where the memory is short or nobody can tell how much is free.
        task: What to tell another process that waits for the GPU.
        on_notice: Called with a sentence for the user.
        is_cancelled: Asked while waiting for another process; True raises KeyboardInterrupt.

    Raises:
        VramError: Too little memory is free, or nobody can tell, or the GPU named is not there.
    """

    def tell_whom(holder: LockHolder | None) -> None:
        on_notice(f"Waiting for the GPU: {in_words(holder)} is using it.")

    gpu: NamedGpu | NoGpuError = NoGpuError("The CPU was asked for.")
    with ExitStack() as locks:
        if device != "cpu":
            try:
                gpu = pick_gpu(selector, needed_mib=0)
            except VramError as error:
                gpu = _without_an_answer(error, selector, skips_check=skips_check)
            name = _name_of(gpu) if isinstance(gpu, NamedGpu) else "default"
            locks.enter_context(between_processes(name, task, tell_whom, is_cancelled))
        if isinstance(gpu, Gpu) and not skips_check:
            gpu = pick_gpu(gpu.selector, needed_mib())
        locks.enter_context(GPU_LOCK)
        yield gpu


def _without_an_answer(
    error: VramError, selector: str | None, *, skips_check: bool
) -> NamedGpu | NoGpuError:
    if leaves_unknown(error, selector) and skips_check:
        if selector is not None:
            if not _SELECTOR.fullmatch(selector):  # nobody else tells, and CUDA hides all GPUs
                raise error
            return NamedGpu(selector)
        return NoGpuError(error.detail, check=error.check, tip=_UNKNOWN_GPU_TIP)
    if isinstance(error, NoGpuError) and selector is None:
        return error
    raise error


def _name_of(gpu: NamedGpu) -> str:
    try:
        return index_of(gpu)
    except VramError:
        if isinstance(gpu, Gpu):
            raise
        return gpu.selector
