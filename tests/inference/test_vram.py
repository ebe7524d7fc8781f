"""Free GPU memory is asked of the GPU that will be used; what nobody tells is an error, not 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import nvidia_smi

from cinecut.errors import VramError
from cinecut.inference import vram
from cinecut.inference.vram import Gpu, NoGpuError, check_vram_free_mib, index_of, pick_gpu

UUID = "GPU-5a1c2b3d-0000-1111-2222-333344445555"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put an nvidia-smi of this script on the PATH, and nothing else."""

    def install(script: str | None) -> None:
        monkeypatch.setenv("PATH", str(nvidia_smi.write(tmp_path / "bin", script)))

    return install


def test_the_emptiest_gpu_is_taken(smi) -> None:
    smi(nvidia_smi.answering(7000, 24000, 9000))

    assert pick_gpu() == Gpu("1", 24000)
    assert check_vram_free_mib() == 24000


def test_a_gpu_that_was_named_is_asked_alone(smi) -> None:
    smi(nvidia_smi.answering(7000, 24000))

    assert pick_gpu("0") == Gpu("0", 7000)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0", Gpu("0", 7000)), ("2, 0", Gpu("2", 9000)), ("0,2", Gpu("2", 9000))],
)
def test_hidden_gpus_do_not_count(
    smi, monkeypatch: pytest.MonkeyPatch, visible: str, expected: Gpu
) -> None:
    """In any order: nvidia-smi does not answer in the order of the question."""
    smi(nvidia_smi.answering(7000, 24000, 9000))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert pick_gpu() == expected


def test_the_option_counts_more_than_the_environment(smi, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(nvidia_smi.answering(7000, 24000))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    assert pick_gpu("1") == Gpu("1", 24000)


@pytest.mark.parametrize("visible", ["", "-1", " "])
def test_where_all_are_hidden_there_is_none(
    smi, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    smi(nvidia_smi.answering(24000))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with pytest.raises(NoGpuError, match="hides every GPU"):
        pick_gpu()


def test_a_uuid_is_the_gpu_of_its_index(smi) -> None:
    smi(f'case "$*" in *index*"-i {UUID}") echo 3;; *"-i {UUID}") echo 9000;; esac')

    gpu = pick_gpu(UUID)

    assert gpu == Gpu(UUID, 9000)
    assert index_of(gpu) == "3"
    assert index_of(Gpu("3", 9000)) == "3"


def test_a_gpu_that_tells_nothing_is_passed_over(smi) -> None:
    smi(nvidia_smi.answering("[N/A]", 8000))

    assert pick_gpu() == Gpu("1", 8000)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (nvidia_smi.answering("[N/A]"), "does not tell how much memory is free"),
        (nvidia_smi.answering("[Not Supported]"), "does not tell"),
        (nvidia_smi.answering("-1"), "does not tell"),
        (nvidia_smi.answering("24 GiB"), "does not tell"),
        (nvidia_smi.answering("٣٠٠٠٠"), "does not tell"),
        (nvidia_smi.FAILING, "exit code 9: NVIDIA-SMI has failed"),
        ("exit 3", "exit code 3: no output"),
        ("printf '\\377\\376'", "could not be run"),
        (nvidia_smi.answering(500), "6144 MiB needed, 500 MiB free on GPU 0"),
        (nvidia_smi.answering(6143), "6143 MiB free"),
    ],
)
def test_what_is_not_enough_or_not_told_is_an_error(smi, script: str, said: str) -> None:
    smi(script)

    with pytest.raises(VramError, match=said) as raised:
        check_vram_free_mib()
    assert not isinstance(raised.value, NoGpuError)


@pytest.mark.parametrize(
    ("script", "said"),
    [(None, "was not found"), (nvidia_smi.WITHOUT_DEVICES, "no GPU"), ("exit 0", "no GPU")],
)
def test_no_gpu_is_an_error_of_its_own(smi, script: str | None, said: str) -> None:
    smi(script)

    with pytest.raises(NoGpuError, match=said):
        check_vram_free_mib()


def test_an_nvidia_smi_that_hangs_is_given_up(smi, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(nvidia_smi.HANGING)
    monkeypatch.setattr(vram, "_TIMEOUT_S", 0.3)

    with pytest.raises(VramError, match=r"gave no answer within 0\.3 s"):
        check_vram_free_mib()


def test_memory_that_is_coming_back_is_waited_for(
    smi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(nvidia_smi.growing(tmp_path, step_mib=3000))
    monkeypatch.setattr(vram, "_SETTLE_STEP_S", 0.01)

    assert check_vram_free_mib() == 6500


def test_memory_that_does_not_come_back_is_not_waited_for(
    smi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(nvidia_smi.growing(tmp_path, step_mib=0))
    monkeypatch.setattr(vram, "_SETTLE_STEP_S", 0.01)

    with pytest.raises(VramError, match="500 MiB free"):
        check_vram_free_mib()
    assert (tmp_path / "asked").read_text() == "2\n"
