"""A build that knows no CUDA is told by its own name for it which GPU was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import nvidia_smi
from server_process import ServerProgram as Server
from tiny_llava import TinyModel

from cinecut.inference.engine import LlavaEngine
from cinecut.inference.server.devices import device_of
from cinecut.inference.server.program import Device, ServerProgram
from cinecut.inference.vram import NamedGpu

INTEL = "Intel(R) UHD Graphics 770 (RPL-S)"
SMALL, LARGE = "NVIDIA GeForce RTX 3060", "NVIDIA GeForce RTX 3090"


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Put an nvidia-smi on the PATH that tells these GPUs, and the same free memory of each."""
    cases = "".join(f'*=name*"-i {n}") echo "{name}";;\n' for n, name in enumerate(names))
    script = f'case "$*" in\n{cases}*name*) exit 1;;\n*) echo 9000;;\nesac'
    monkeypatch.setenv("PATH", str(nvidia_smi.write(folder / "bin", script)))


@pytest.mark.parametrize(
    ("devices", "names", "gpu", "expected"),
    [
        ({"Vulkan0": INTEL, "Vulkan1": LARGE}, [LARGE], "0", "Vulkan1"),
        ({"Vulkan0": LARGE, "Vulkan1": SMALL}, [SMALL, LARGE], "0", "Vulkan1"),
        ({"Vulkan0": LARGE, "Vulkan1": SMALL}, [SMALL, LARGE], "1", "Vulkan0"),
        ({"Vulkan0": LARGE, "Vulkan1": INTEL}, ["GeForce RTX 3090"], "0", "Vulkan0"),
        ({"Vulkan0": LARGE, "Vulkan1": LARGE, "Vulkan2": INTEL}, [LARGE, LARGE], "1", "(both)"),
        ({"ROCm0": "AMD Radeon", "ROCm1": "AMD Radeon"}, [LARGE], "0", "(both)"),
        ({"Vulkan0": LARGE, "Vulkan1": SMALL}, [], "0", "(both)"),
        ({"CUDA0": LARGE, "CUDA1": LARGE}, [LARGE, LARGE], "1", None),
        ({"Vulkan0": LARGE}, [LARGE], "0", None),
    ],
)
def test_the_gpu_chosen_is_found_by_what_it_is_called(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: dict[str, str],
    names: list[str],
    gpu: str,
    expected: str | None,
) -> None:
    put_on_path(tmp_path, monkeypatch, *names)
    program = ServerProgram("llama-server")
    listed = [Device(name, text, 12288, 9000) for name, text in devices.items()]
    vars(program)["devices"] = listed
    notices: list[str] = []

    device = device_of(program, NamedGpu(gpu), notices.append)

    if expected == "(both)":
        assert device is None
        assert len(notices) == 1
        assert f"Which of its devices GPU {gpu} is" in notices[0]
        assert f"Vulkan0: {LARGE}, Vulkan1: {LARGE})" in notices[0] or LARGE not in names[1:]
    else:
        assert (device and device.name, notices) == (expected, [])


def test_the_server_is_started_on_it(
    mock_server: Server, tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, monkeypatch, LARGE)
    devices = f"Vulkan0: {INTEL} (64000 MiB, 60000 MiB free)\nVulkan1: {LARGE} (1 MiB, 1 MiB free)"
    monkeypatch.setenv("CINECUT_MOCK_DEVICES", devices)
    files = (tiny_model.model, tiny_model.mmproj)
    with LlavaEngine(*files, llama_server=mock_server.path) as engine:
        assert engine.server is not None
        words = Path("/proc", str(engine.server.pids[0]), "cmdline").read_bytes().split(b"\0")

    assert words[words.index(b"--device") + 1] == b"Vulkan1"
