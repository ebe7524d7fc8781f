"""The checks: llama-server, the GPU and the model here, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cinecut.doctor.finding import Finding, failure, ok, warning
from cinecut.doctor.machine import Machine
from cinecut.doctor.surroundings import (
    check_codecs,
    check_lock,
    check_models_dir,
    check_python,
    check_results,
)
from cinecut.errors import CineCutError, VramError
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.model.fit import widths
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.launch import needed_for_one_slot_mib, plan_launch, sees_a_gpu
from cinecut.inference.server.program import ServerProgram, require_pictures
from cinecut.inference.vram import Gpu, NoGpuError, leaves_unknown
from cinecut.model_store.choice import PULL_COMMAND
from cinecut.model_store.hardware import gpu_details, ram_mib
from cinecut.model_store.search import find_models

Check = Callable[[Machine], Finding | None]
"""Returns None where another check has told already what there is to tell."""

_FLAGS: Final = {
    "--image-max-tokens": "a picture may cost some models 4,096 tokens, and fewer fit at once",
    "--list-devices": "nobody can tell which GPU it sees",
}
"""What a build without each of these flags of llama-server does less well.

What else is relied on, and in which builds it is: `inference/server/CONTRACT.md`.
"""


def check_server(machine: Machine) -> Finding:
    """Look at llama-server: which, and does it start."""
    program = machine.program
    if isinstance(program, CineCutError):
        return _of_error(program)
    require_pictures(program)
    return ok(f"{program.version}: {program.path}")


def check_flags(machine: Machine) -> Finding | None:
    """Look at the flags that this llama-server knows."""
    program = machine.program
    if isinstance(program, CineCutError):
        return None
    missing = {flag: effect for flag, effect in _FLAGS.items() if not program.knows(flag)}
    if missing:
        effects = "; ".join(f"without {flag} {effect}" for flag, effect in missing.items())
        return warning(
            f"An early build: {effects}.",
            "Update llama-server, or take the package's own: pip install 'cinecut[server]'",
        )
    return ok(f"it knows {', '.join(_FLAGS)}")


def check_gpu(machine: Machine) -> Finding:
    """Look at the GPU, its driver and its free memory."""
    gpu = machine.gpu
    if machine.device == "cpu":
        return ok("left alone: the CPU was asked for")
    if isinstance(gpu, Gpu):
        details = gpu_details(gpu)
        if details is None:
            return ok(f"GPU {gpu.selector}, {gpu.free_mib} MiB free")
        return ok(
            f"{details.name}, driver {details.driver}, {gpu.free_mib} of {details.total_mib} MiB "
            "free"
        )
    devices = _devices(machine.program)
    if leaves_unknown(gpu, machine.selector):
        if machine.skips_vram_check and (devices or machine.device != "gpu"):
            told = f"{gpu.cause} That is passed over, as asked."
            return warning(told, "Should the model not fit: --device cpu")
        return _of_error(gpu)
    if devices and machine.selector is None:
        return ok(f"no NVIDIA GPU; llama-server sees {devices}")
    if machine.device == "gpu" or machine.selector is not None:
        return _of_error(gpu)
    return warning(f"{gpu.detail} llama-server runs on the CPU, which is much slower.", gpu.tip)


def check_device(machine: Machine) -> Finding | None:
    """Look at whether this llama-server sees the GPU."""
    program, gpu = machine.program, machine.gpu
    if isinstance(program, CineCutError) or not isinstance(gpu, Gpu):
        return None
    notices: list[str] = []
    if sees_a_gpu(program, gpu, machine.device, notices.append):
        return ok(_devices(program) or "this build cannot list what it sees")
    return warning(" ".join(notices), "Name a llama-server built for your GPU: --llama-server PATH")


def check_model(machine: Machine) -> Finding:
    """Look at which models are here, and whether the chosen one and its mmproj fit each other."""
    model = machine.vision_model
    if isinstance(model, CineCutError):
        return _of_error(model)
    both = widths(model)
    if both is not None and both[0] != both[1]:
        return failure(
            f"{model.mmproj.path.name} was made for another model than {model.model.path.name}: "
            f"its output is {both[1]} wide, the model {both[0]}.",
            f"Name its own mmproj: --mmproj FILE, or get a pair: {PULL_COMMAND}",
        )
    chosen = f"{model.model.path.name} with {model.mmproj.path.name}"
    fits = ", which fits" if both else "; llama-server will tell whether they fit"
    here = [found.name for found in find_models(machine.models_dir)]
    return ok(f"{chosen}{fits}" + (f". Here: {', '.join(here)}" if here else ""))


def check_memory(machine: Machine) -> Finding | None:
    """Look at whether the model fits the memory."""
    model, program, gpu = machine.vision_model, machine.program, machine.gpu
    if isinstance(model, CineCutError):
        return None
    if isinstance(gpu, VramError) and not isinstance(gpu, NoGpuError):
        return None
    prompt = Prompt()
    needed_mib = needed_for_one_slot_mib(model, prompt, None)
    device: Device = "cpu" if machine.device == "cpu" else "auto"  # other checks insist on a GPU
    on_gpu = isinstance(program, ServerProgram) and sees_a_gpu(program, gpu, device, lambda _: None)
    if isinstance(gpu, Gpu):
        free_mib: int | None = gpu.free_mib
        where = f"free on GPU {gpu.selector}"
    elif on_gpu and isinstance(program, ServerProgram) and program.devices:
        free_mib, where = max(device.free_mib for device in program.devices), "free on the GPU"
    else:
        free_mib, where = ram_mib(), "of main memory"
    if free_mib is None:
        return ok(f"{needed_mib} MiB are needed; nobody tells how much there is")
    found = f"{needed_mib} MiB are needed, {free_mib} MiB {where}"
    if needed_mib > free_mib:
        mend = "Close other programs, or take a smaller model: cinecut models list"
        prevents = isinstance(gpu, Gpu) and not machine.skips_vram_check
        return (failure if prevents else warning)(found, mend)
    if isinstance(program, ServerProgram):
        plan = plan_launch(
            *(program, model, prompt),
            gpu=gpu if isinstance(gpu, Gpu) else None,
            on_gpu=on_gpu,
            slots=None,
            cores=None,
        ).plan
        found += f": {plan.slots} pictures at once"
    return ok(found)


def check_attached(machine: Machine) -> Finding:
    """Look at whether the server that runs already can describe pictures."""
    with AttachedEngine(
        machine.server_url or "",
        model=machine.server_model,
        prefers=machine.server_prefers,
        api_key=machine.api_key,
    ) as engine:
        return ok(f"{engine.base_url} answers: {engine.slots} pictures at once")


CHECKS: Final[Mapping[str, Check]] = {
    "CineCut": check_python,
    "codecs": check_codecs,
    "llama-server": check_server,
    "its flags": check_flags,
    "GPU": check_gpu,
    "its devices": check_device,
    "model": check_model,
    "memory": check_memory,
    "results": check_results,
    "models folder": check_models_dir,
    "GPU lock": check_lock,
}
CHECKS_WITH_SERVER_URL: Final[Mapping[str, Check]] = {
    "CineCut": check_python,
    "codecs": check_codecs,
    "server": check_attached,
    "results": check_results,
}
"""What counts where `describe` uses a server that runs already."""


def _of_error(error: CineCutError) -> Finding:
    return failure(error.cause, error.tip)


def _devices(program: ServerProgram | CineCutError) -> str:
    """Return the GPUs that llama-server sees, in words; empty for none or where nobody can tell."""
    if isinstance(program, CineCutError):
        return ""
    return ", ".join(
        f"{device.name}: {device.description} ({device.free_mib} of {device.total_mib} MiB free)"
        for device in program.devices or ()
    )
