"""Decides how llama-server is started: on which device, with how many slots, by which flags."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cinecut.errors import InferenceError, ModelError
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.gpu.slots import (
    SlotPlan,
    batch_tokens,
    needed_mib,
    plan_for_cpu,
    plan_for_gpu,
    with_room_for_texts,
)
from cinecut.inference.model.vision_model import VisionModel, read_vision_model
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.program import ServerProgram
from cinecut.inference.vram import VRAM_MINIMUM_MIB, Gpu, NamedGpu, NoGpuError

_ALL_LAYERS: Final = "999"


@dataclass(frozen=True)
class Launch:
    """A llama-server command that is ready to run, but for its address."""

    command: list[str]
    environment: dict[str, str]
    plan: SlotPlan
    forces_vicuna: bool
    """Whether the model brings no chat template, so that LLaVA-1.5's is named on the command."""


def plan_launch(
    program: ServerProgram,
    model: VisionModel,
    prompt: Prompt,
    *,
    gpu: NamedGpu | None,
    on_gpu: bool,
    slots: int | None,
    cores: int | None,
    own_device: str | None = None,
    prompt_tokens: int | None = None,
) -> Launch:
    """Return how to start `program`.

    Args:
        program: The llama-server.
        model: The two model files.
        prompt: The question, for the context that it needs.
        gpu: The NVIDIA GPU to use, if there is one.
        on_gpu: Whether to put the model on a GPU of any make.
        slots: How many pictures at once; None chooses by memory or cores.
        cores: How many CPU cores it may use; None leaves it all of them.
        own_device: What the program itself calls `gpu`, where its environment does not choose.
        prompt_tokens: What a server has counted for question and picture; None estimates it.
    """
    context = (
        prompt.context_tokens(model.picture.most)
        if prompt_tokens is None
        else prompt.context_for(prompt_tokens)
    )
    free_mib = _free_mib(program, gpu) if on_gpu else None
    if not on_gpu or free_mib is not None:
        context = with_room_for_texts(model, slots or 1, context, prompt.text_context, free_mib)
    plan = _plan_slots(model, context, free_mib, on_gpu=on_gpu, slots=slots, cores=cores)
    forces_vicuna = not model.has_chat_template and model.model.architecture == "llama"
    flags = [
        *("-m", str(model.model.path.absolute())),
        *("--mmproj", str(model.mmproj.path.absolute())),
        *("-np", str(plan.slots)),
        *("-c", str(plan.slots * plan.context_per_slot)),
        # Without this an idle slot's memory is shared, and a full one fails its neighbours.
        *_if_known(program, "--no-kv-unified"),
        # Else every finished prompt is copied to host memory, up to 8 GiB, at half the speed.
        *_if_known(program, "--cache-ram", "0"),
        *(_if_known(program, "--no-webui") or _if_known(program, "--no-ui")),
        *_if_known(program, "--offline"),
        # The grammar says what a reply is; a parser would take what looks like a thought out of it.
        *(
            _if_known(program, "--skip-chat-parsing")
            or _if_known(program, "--reasoning-format", "none")
        ),
        *_device_flags(program, own_device, on_gpu=on_gpu),
    ]
    if cores is not None:
        flags += _if_known(program, "--threads", str(cores))
    # Earlier builds keep room for every token's logits, 1.2 GiB with a vocabulary of Qwen's: they,
    # and a CPU, get what a picture needs and no more.
    gains_by_more = on_gpu and not program.is_early
    if gains_by_more or model.picture.is_one_batch:
        batch = batch_tokens(model.picture, plan.slots if gains_by_more else 1)
        flags += ["-b", str(2 * batch), "-ub", str(batch)]
    if model.picture.limit is not None:
        flags += _if_known(program, "--image-max-tokens", str(model.picture.limit))
    # Early builds know most templates by their looks alone, and the others not at all.
    flags += [] if forces_vicuna else _if_known(program, "--jinja")
    if forces_vicuna:
        # With jinja on, "vicuna" would be taken for the text of a template.
        flags += [*_if_known(program, "--no-jinja"), "--chat-template", "vicuna"]
    return Launch([program.path, *flags], _environment(program, gpu), plan, forces_vicuna)


def sees_a_gpu(
    program: ServerProgram,
    gpu: NamedGpu | NoGpuError,
    device: Device,
    on_notice: Callable[[str], None],
) -> bool:
    """Say whether this llama-server will run on a GPU, and tell the user when it will not.

    Args:
        program: The llama-server.
        gpu: The NVIDIA GPU that is there, or the error that says there is none.
        device: What the user asked for.
        on_notice: Called with one sentence for the user.

    Raises:
        VramError: `device` is "gpu" and there is none.
        InferenceError: `device` is "gpu" and this llama-server does not see the GPU.
    """
    if device == "cpu":
        return False
    devices = program.devices
    if devices or (devices is None and isinstance(gpu, NamedGpu)):
        return True
    if isinstance(gpu, NoGpuError):
        if device == "gpu":
            raise gpu
        on_notice("No GPU was found: llama-server runs on the CPU, which is much slower.")
        return False
    shown = "nvidia-smi shows a GPU" if isinstance(gpu, Gpu) else f"GPU {gpu.selector} was named"
    problem = f"{shown}, but this llama-server does not see it"
    if device == "gpu":
        raise InferenceError(
            f"{problem}: a build for the CPU, or a missing Vulkan driver.",
            check=f"{program.path} --list-devices",
            tip="Name a llama-server that was built for your GPU: --llama-server PATH",
        )
    on_notice(
        f"{problem}, so the model runs on the CPU, about a hundred times slower. "
        "Name a llama-server built for your GPU: --llama-server PATH"
    )
    return False


def _plan_slots(
    model: VisionModel,
    context: int,
    free_mib: int | None,
    *,
    on_gpu: bool,
    slots: int | None,
    cores: int | None,
) -> SlotPlan:
    if slots is not None:
        return SlotPlan(slots, context, "as asked")
    if not on_gpu:
        return plan_for_cpu(context, cores or os.cpu_count() or 1)
    if free_mib is None:
        return SlotPlan(1, context, "the GPU's free memory is not known")
    return plan_for_gpu(model, context, free_mib)


def _free_mib(program: ServerProgram, gpu: NamedGpu | None) -> int | None:
    """Return the free memory of the GPU to use; None where nobody tells."""
    if isinstance(gpu, Gpu):
        return gpu.free_mib
    amounts = [device.free_mib for device in program.devices or ()]
    # Which of llama-server's a GPU is that was named without an answer, nobody tells.
    return (min if gpu else max)(amounts, default=None)


def needed_for_one_slot_mib(model: VisionModel, prompt: Prompt, slots: int | None) -> int:
    """Return the GPU memory without which there is no start: for the slots asked for, or one."""
    prompt = replace(prompt, takes_several=model.takes_several)
    return needed_mib(model, slots or 1, prompt.context_tokens(model.picture.most))


def needed_to_start_mib(model: Path, mmproj: Path, prompt: Prompt, slots: int | None) -> int:
    """Return `needed_for_one_slot_mib` of two files, and a guess where one cannot be read.

    What is wrong with them is told when they are needed, after the GPU.
    """
    try:
        return needed_for_one_slot_mib(read_vision_model(model, mmproj), prompt, slots)
    except ModelError:
        return VRAM_MINIMUM_MIB


def _device_flags(program: ServerProgram, own_device: str | None, *, on_gpu: bool) -> list[str]:
    if on_gpu:
        chosen = _if_known(program, "--device", own_device) if own_device else []
        return [*chosen, "-ngl", _ALL_LAYERS]
    # Some builds put the mmproj on a GPU that they were told to leave alone.
    projector = _if_known(program, "--no-mmproj-offload")
    return [*_if_known(program, "--device", "none"), *projector, "-ngl", "0"]


def _environment(program: ServerProgram, gpu: NamedGpu | None) -> dict[str, str]:
    environment = dict(program.environment or os.environ)
    # Else a failed assertion starts a debugger, whose lines hide what has failed.
    environment.setdefault("GGML_NO_BACKTRACE", "1")
    # Builds with GNU's OpenMP wait for each other by spinning: beside our own decoding, or
    # whatever else the cores do, that took up to 15 times as long.
    environment.setdefault("GOMP_SPINCOUNT", "1000")
    if gpu is not None:
        # CUDA counts the fastest GPU first and nvidia-smi by the bus; this makes them agree.
        environment |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu.selector}
    return environment


def _if_known(program: ServerProgram, flag: str, *value: str) -> list[str]:
    return [flag, *value] if program.knows(flag) else []
