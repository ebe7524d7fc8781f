"""What decodes films is looked for when the model has its memory, and missed in one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import command
import pytest
from clips import BIKES
from faults import nvidia_smi

from cinecut.run import decoding
from cinecut.run.decoding import NEEDED_MIB, find_hardware


def test_hardware_is_looked_for_and_missed_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine without a GPU, or whose GPUs are hidden."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(decoding, "built_in", lambda: ("cuda",))
    said: list[str] = []

    for wish in ("cpu", "auto", "cuda", "vaapi"):
        assert find_hardware(wish, said.append) is None

    hidden = "Films are decoded by the CPU: CUDA_VISIBLE_DEVICES hides every GPU."
    unknown = "Films are decoded by the CPU: this build of PyAV knows no vaapi."
    assert said == [hidden, hidden, unknown]


@pytest.mark.parametrize(
    ("free_mib", "is_taken"), [((24000, NEEDED_MIB), True), ((24000, NEEDED_MIB - 1), False)]
)
def test_the_model_is_not_pressed_for_memory(
    free_mib: tuple[int, ...], is_taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On none of the GPUs: nobody says on which of them CUDA decodes."""
    bin_folder = nvidia_smi.write(tmp_path / "bin", nvidia_smi.answering(*free_mib))
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setattr(decoding, "built_in", lambda: ("cuda",))
    monkeypatch.setattr(decoding, "why_not", lambda _: None)
    said: list[str] = []

    assert find_hardware("auto", said.append) == ("cuda" if is_taken else None)
    assert len(said) == (not is_taken)
    assert is_taken or "1535 MiB are left" in said[0]


@pytest.mark.usefixtures("with_mock")
def test_where_there_is_none_the_cpu_decodes_and_the_run_is_the_same(tmp_path: Path) -> None:
    """What decodes is no setting of the run: another choice finds everything done."""
    films = [Path(shutil.copy(BIKES, tmp_path / f"{name}.mp4")) for name in "ab"]
    hidden = {"CUDA_VISIBLE_DEVICES": ""}

    done = command.run("describe", *films, "--decode", "cuda", "--device", "cpu", **hidden)
    again = command.run("describe", *films, "--device", "cpu")

    assert done.returncode == again.returncode == 0, done.stderr + again.stderr
    assert done.stderr.count("Films are decoded by the CPU: ") == 1
    assert again.stderr.count("done already") == 2
    assert "decoded by" not in again.stderr
