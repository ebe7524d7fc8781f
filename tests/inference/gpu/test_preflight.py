"""The GPU that was named is the one that llama-server gets, also where nobody tells its memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import nvidia_smi
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import VramError
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.vram import NoGpuError

UUID = "GPU-5a1c2b3d-0000-1111-2222-333344445555"
DEVICES = "\n".join(
    f"CUDA{n}: A GPU (81559 MiB, {free} MiB free)" for n, free in ((0, 9000), (1, 99))
)


@pytest.fixture
def engine(
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Make an engine beside an nvidia-smi of this script."""

    def new(script: str | None, gpu: str | None, *, skips: bool = True) -> LlavaEngine:
        monkeypatch.setenv("PATH", str(nvidia_smi.write(tmp_path / "bin", script)))
        monkeypatch.setenv("CINECUT_MOCK_DEVICES", DEVICES)
        return LlavaEngine(
            *(tiny_model.model, tiny_model.mmproj),
            llama_server=mock_server.path,
            gpu=gpu,
            skip_vram_check=skips,
        )

    return new


@pytest.mark.parametrize("script", [None, nvidia_smi.FAILING, nvidia_smi.NOT_TELLING])
@pytest.mark.parametrize("gpu", ["1", UUID])
def test_the_gpu_named_reaches_the_server_whatever_is_known(
    engine, script: str | None, gpu: str
) -> None:
    with engine(script, gpu) as started:
        assert started.on_gpu
        assert started.plan.slots == 1, "it may be the fuller one"
        for pid in started.server.pids:
            environment = Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
            assert f"CUDA_VISIBLE_DEVICES={gpu}".encode() in environment


@pytest.mark.parametrize("gpu", ["-1", "0,1", "the first"])
def test_what_names_no_gpu_is_an_error_though_nobody_can_tell(engine, gpu: str) -> None:
    with pytest.raises(VramError), engine(None, gpu):
        pass


@pytest.mark.parametrize(
    ("script", "skips", "kind"),
    [
        (None, False, NoGpuError),
        (nvidia_smi.WITHOUT_DEVICES, True, NoGpuError),
        (nvidia_smi.FAILING, False, VramError),
    ],
)
def test_a_gpu_that_is_known_not_to_be_there_is_an_error(
    engine, script: str | None, skips: bool, kind: type[VramError]
) -> None:
    with pytest.raises(kind), engine(script, "1", skips=skips):
        pass
