"""The right model for a machine: by its GPU's memory, or main memory, or where nobody tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import command
import pytest
from faults import nvidia_smi
from hub import Hub
from server_process import ServerProgram

from cinecut.doctor import Machine
from cinecut.errors import CineCutError, MachineError, VramError
from cinecut.inference.gpu.slots import needed_mib
from cinecut.inference.model.gguf_header import GgufHeader
from cinecut.inference.model.picture_tokens import MOST_TOKENS
from cinecut.inference.model.vision_model import VisionModel
from cinecut.inference.question.prompt import Prompt
from cinecut.model_store import hardware
from cinecut.model_store.catalogue import CATALOGUE, CatalogueModel
from cinecut.model_store.choice import find_model_files
from cinecut.model_store.fitting import advise, fits
from cinecut.model_store.hardware import Hardware, look_at_hardware

ENTRIES = {entry.name: entry for entry in CATALOGUE}
NOWHERE = "no-such-llama-server"
OnPath = Callable[[str | None], None]


@pytest.fixture(autouse=True)
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnPath:
    """Put an nvidia-smi on the PATH, and nothing else; there is none at first."""

    def put(script: str | None) -> None:
        monkeypatch.setenv("PATH", str(nvidia_smi.write(tmp_path / "bin", script)))

    put(None)
    return put


@pytest.fixture
def ram(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    def set_to(mib: int | None) -> None:
        monkeypatch.setattr(hardware, "ram_mib", lambda: mib)

    set_to(16_000)
    return set_to


def gpus(*total_mib: int | str) -> str:
    """Be an nvidia-smi of GPUs of so much memory, of which half is free."""
    cases = "".join(
        f'*"memory.total"*"-i {index}"*) echo "Card {index}, 550.54, {total}";;\n'
        f'*"memory.free"*"-i {index}"*) echo {int(total) // 2};;\n'
        for index, total in enumerate(total_mib)
    )
    free = "".join(f"echo {int(total) // 2};" for total in total_mib)
    return f'case " $*" in\n{cases}*memory.free*) {free};;\nesac'.replace(";;;", ";;")


@pytest.mark.parametrize(
    ("total_mib", "right"),
    [
        (2048, "smolvlm2-500m"),
        (4096, "qwen3-vl-2b"),
        (6078, "qwen3-vl-4b"),
        (8117, "qwen3-vl-8b"),
        (12_288, "qwen3-vl-8b"),
        (16_376, "qwen3-vl-8b"),
        (22_731, "qwen3-vl-30b"),
        (24_564, "qwen3-vl-30b"),
        (40_960, "qwen3-vl-32b"),
        (81_559, "qwen3-vl-32b"),
    ],
)
def test_the_memory_of_the_gpu_decides(smi: OnPath, total_mib: int, right: str) -> None:
    """All of it: what is free just now would be another model tomorrow."""
    smi(gpus(total_mib))
    machine = look_at_hardware(llama_server=NOWHERE)

    assert machine == Hardware("GPU", "Card 0", total_mib)
    assert advise(machine).entry.name == right
    assert fits(ENTRIES[right], machine)


@pytest.mark.parametrize(
    ("ram_mib", "right"),
    [
        (3500, "smolvlm2-500m"),
        (7700, "qwen3-vl-2b"),
        (64_000, "qwen3-vl-2b"),
        (None, "smolvlm2-500m"),
    ],
)
def test_without_a_gpu_main_memory_decides(ram, ram_mib: int | None, right: str) -> None:
    """However much there is of it: a CPU is slow before it is full."""
    ram(ram_mib)

    assert advise(look_at_hardware(llama_server=NOWHERE)).entry.name == right


def test_where_nothing_fits_that_is_told_and_how_to_insist(ram) -> None:
    ram(900)
    with pytest.raises(MachineError, match=r"(?s)needs 1\.3 GiB.*models pull smolvlm2-500m"):
        advise(look_at_hardware(llama_server=NOWHERE))


def test_on_a_gpu_that_is_too_small_the_cpu_is_meant(smi: OnPath, ram) -> None:
    smi(gpus(1024))
    advice = advise(look_at_hardware())

    assert advice.entry.name == "qwen3-vl-2b"
    assert "--device cpu" in advice.why
    assert "Card 0 (1.0 GiB) is too small" in advice.why


@pytest.mark.parametrize(
    ("script", "selector"),
    [(nvidia_smi.NOT_TELLING, None), (nvidia_smi.FAILING, None), (None, "1")],
)
def test_a_gpu_whose_memory_nobody_tells_is_not_taken_for_none(
    smi: OnPath, ram, script: str | None, selector: str | None
) -> None:
    smi(script)
    machine = look_at_hardware(selector=selector, llama_server=NOWHERE)
    advice = advise(machine)

    assert (machine.place, machine.memory_mib) == ("GPU", None)
    assert advice.entry.name == "qwen3-vl-2b"
    assert "nobody tells the memory" in advice.why
    assert {fits(entry, machine) for entry in CATALOGUE} == {None}


def test_the_gpu_that_is_named_counts(smi: OnPath, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(gpus(8192, 24_564, 6144))

    assert look_at_hardware().memory_mib == 24_564
    assert look_at_hardware(selector="2").memory_mib == 6144
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    assert look_at_hardware().memory_mib == 8192


def test_a_gpu_that_is_named_or_insisted_on_and_not_there_is_an_error(smi: OnPath) -> None:
    with pytest.raises(VramError):
        look_at_hardware("gpu", llama_server=NOWHERE)
    smi(nvidia_smi.WITHOUT_DEVICES)
    with pytest.raises(VramError):
        look_at_hardware(selector="7", llama_server=NOWHERE)


def test_where_the_cpu_is_asked_for_no_gpu_is_looked_for(smi: OnPath, ram) -> None:
    smi(gpus(24_564))

    assert look_at_hardware("cpu") == Hardware("CPU", "the CPU", 16_000)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (
            "MTL0: Apple M2 (10922 MiB, 10900 MiB free)",
            Hardware("GPU", "Apple M2", 10_922),
        ),
        (
            "Vulkan0: AMD Radeon Graphics (RADV RENOIR) (7000 MiB, 6000 MiB free)\n"
            "Vulkan1: AMD Radeon RX 7900 XTX (RADV NAVI31) (24560 MiB, 900 MiB free)",
            Hardware("GPU", "AMD Radeon RX 7900 XTX (RADV NAVI31)", 24_560),
        ),
        (
            "Vulkan0: Intel(R) UHD Graphics 620 (KBL GT2) (11900 MiB, 9000 MiB free)",
            Hardware("CPU", "Intel(R) UHD Graphics 620 (KBL GT2), part of the processor", 16_000),
        ),
        (
            "Vulkan0: Intel(R) Arc(TM) A770 Graphics (DG2) (16256 MiB, 14000 MiB free)",
            Hardware("GPU", "Intel(R) Arc(TM) A770 Graphics (DG2)", 16_256),
        ),
    ],
)
def test_of_other_makes_llama_server_tells(
    mock_server: ServerProgram, monkeypatch: pytest.MonkeyPatch, ram,
    devices: str, expected: Hardware,
) -> None:  # fmt: skip
    """What is part of the processor is as slow as that, whatever memory it borrows."""
    monkeypatch.setenv("CINECUT_MOCK_DEVICES", devices)

    assert look_at_hardware(llama_server=str(mock_server.path)) == expected


def test_a_gpu_that_shares_main_memory_is_told_by_llama_server(
    smi: OnPath, mock_server: ServerProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi(nvidia_smi.NOT_TELLING)
    monkeypatch.setenv("CINECUT_MOCK_DEVICES", "CUDA0: NVIDIA GB10 (122502 MiB, 90000 MiB free)")

    assert look_at_hardware(llama_server=str(mock_server.path)).memory_mib == 122_502


def put(folder: Path, *entries: CatalogueModel) -> None:
    for entry in entries:
        (folder / entry.name).mkdir(parents=True)
        for name in (entry.model_file, entry.mmproj_file):
            (folder / entry.name / name).write_bytes(b"GGUF")


@pytest.mark.parametrize(
    ("here", "machine", "taken"),
    [
        ("llava-1.5-7b qwen3-vl-4b qwen3-vl-30b", Hardware("GPU", "", 8192), "qwen3-vl-4b"),
        ("llava-1.5-7b smolvlm2-500m", Hardware("GPU", "", 8192), "smolvlm2-500m"),
        ("llava-1.5-7b gemma-3-12b", Hardware("GPU", "", 16_000), "gemma-3-12b"),
        ("qwen3-vl-30b qwen3-vl-32b", Hardware("GPU", "", 24_564), "qwen3-vl-30b"),
        ("qwen3-vl-30b qwen3-vl-32b", Hardware("GPU", "", 8192), "qwen3-vl-30b"),
        ("llava-1.5-7b qwen3-vl-8b", Hardware("CPU", "", 32_000), "llava-1.5-7b"),
        ("qwen3-vl-4b qwen3-vl-8b", Hardware("GPU", "", None), "qwen3-vl-4b"),
    ],
)
def test_describe_takes_the_one_that_suits_the_machine(
    tmp_path: Path, here: str, machine: Hardware, taken: str
) -> None:
    put(tmp_path / "models", *(ENTRIES[name] for name in here.split()))
    model, _ = find_model_files(None, None, tmp_path / "models", lambda: machine)

    assert model.parent.name == taken


def test_the_only_model_is_taken_and_the_machine_not_looked_at(tmp_path: Path) -> None:
    def look() -> Hardware:
        raise AssertionError

    put(tmp_path / "models", ENTRIES["qwen3-vl-32b"])

    assert find_model_files(None, None, tmp_path / "models", look)[0].is_file()


def test_doctor_looks_at_the_model_that_describe_takes(smi: OnPath, tmp_path: Path) -> None:
    put(tmp_path / "models", ENTRIES["qwen3-vl-4b"], ENTRIES["qwen3-vl-8b"])
    smi(gpus(6144, 8192))
    folder = tmp_path / "models"
    found = {
        selector: Machine(models_dir=folder, llama_server=NOWHERE, selector=selector).files
        for selector in ("0", "1")
    }

    assert not any(isinstance(files, CineCutError) for files in found.values())
    assert {name: files[0].parent.name for name, files in found.items()} == {
        "0": "qwen3-vl-4b",
        "1": "qwen3-vl-8b",
    }


def test_a_pull_without_a_name_takes_what_fits_and_says_why(smi: OnPath, tmp_path: Path) -> None:
    smi(gpus(6144))
    entry = ENTRIES["qwen3-vl-4b"]
    with Hub() as hub:
        hub.add(entry.repo, entry.model_file, b"GGUF model")
        hub.add(entry.repo, entry.mmproj_file, b"GGUF mmproj")
        done = command.run(
            *("models", "pull", "--json", "--models-dir", tmp_path / "models"),
            HF_ENDPOINT=hub.url,
        )

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == (
        "qwen3-vl-4b is chosen: the right one for Card 0 (6.0 GiB)."
    )
    assert json.loads(done.stdout)["name"] == "qwen3-vl-4b"
    assert {path.name for path in (tmp_path / "models/qwen3-vl-4b").glob("*.gguf")} == {
        entry.model_file,
        entry.mmproj_file,
    }


def test_the_list_tells_which_models_fit(smi: OnPath) -> None:
    smi(gpus(8192))
    as_text = command.run("models", "list")
    as_json = command.run("models", "list", "--json", "--device", "gpu", "--gpu", "0")
    told = {entry["name"]: entry for entry in map(json.loads, as_json.stdout.splitlines())}

    assert as_text.stderr == as_json.stderr == ""
    assert "\nqwen3-vl-8b  for this machine: the right one for Card 0 (8.0 GiB)\n" in as_text.stdout
    assert "\nqwen3-vl-4b  fits\n" in as_text.stdout
    assert "\nqwen3-vl-30b  does not fit\n" in as_text.stdout
    assert as_text.stdout.count("Commercial use is restricted") == 3
    assert [name for name, entry in told.items() if entry["default"]] == ["qwen3-vl-8b"]
    assert [name for name, entry in told.items() if entry["fits"]] == [
        *("smolvlm2-500m", "lfm2.5-vl-1.6b", "qwen3-vl-2b", "qwen3-vl-4b", "gemma-4-e2b"),
        *("qwen3.5-4b", "llava-1.5-7b", "qwen3-vl-8b", "qwen3.5-9b"),
    ]
    assert told["qwen3-vl-8b"]["why"] == "the right one for Card 0 (8.0 GiB)"
    assert told["demo"]["fits"] is None


def test_a_licence_that_restricts_use_is_told_and_never_chosen_for_anybody() -> None:
    restricted = {entry.name for entry in CATALOGUE if entry.licence != "Apache-2.0"}

    assert restricted == {"lfm2.5-vl-1.6b", "llava-1.5-7b", "gemma-3-12b"}
    assert {entry.name for entry in CATALOGUE if entry.terms} == restricted
    for name in restricted:
        assert ENTRIES[name].from_gpu_mib is ENTRIES[name].from_ram_mib is None
        assert "Commercial use" in ENTRIES[name].terms


SHAPES = {  # layers, heads, heads of keys and values, width, size of a head; tokens of a picture
    "smolvlm2-500m": (32, 15, 5, 960, 64, MOST_TOKENS),
    "lfm2.5-vl-1.6b": (16, 32, 8, 2048, 64, 262),
    "qwen3-vl-2b": (28, 16, 8, 2048, 128, MOST_TOKENS),
    "qwen3-vl-4b": (36, 32, 8, 2560, 128, MOST_TOKENS),
    "gemma-4-e2b": (35, 8, 1, 1536, 512, 286),
    "qwen3.5-4b": (32, 16, 4, 2560, 256, MOST_TOKENS),
    "llava-1.5-7b": (32, 32, 32, 4096, 128, 576),
    "qwen3-vl-8b": (36, 32, 8, 4096, 128, MOST_TOKENS),
    "qwen3.5-9b": (32, 16, 4, 4096, 256, MOST_TOKENS),
    "gemma-3-12b": (48, 16, 8, 3840, 256, MOST_TOKENS),
    "qwen3.6-27b": (64, 24, 4, 5120, 256, MOST_TOKENS),
    "qwen3-vl-30b": (48, 32, 4, 2048, 128, MOST_TOKENS),
    "qwen3-vl-32b": (64, 64, 8, 5120, 128, MOST_TOKENS),
}

RECURRENT = {"full_attention_interval": 4, "ssm.conv_kernel": 4, "ssm.state_size": 128}
RECURRENT |= {"ssm.group_count": 16}
MORE: dict[str, dict[str, object]] = {
    "lfm2.5-vl-1.6b": {
        "attention.head_count_kv": (0, 0, 8, 0, 0, 8, 0, 0, 8, 0, 8, 0, 8, 0, 8, 0),
    },
    "gemma-4-e2b": {
        "attention.shared_kv_layers": 20,
        "attention.sliding_window": 512,
        "attention.sliding_window_pattern": (True, True, True, True, False) * 7,
        "attention.key_length_swa": 256,
        "attention.value_length_swa": 256,
    },
    "qwen3.5-4b": {**RECURRENT, "ssm.inner_size": 4096},
    "qwen3.5-9b": {**RECURRENT, "ssm.inner_size": 4096},
    "qwen3.6-27b": {**RECURRENT, "ssm.inner_size": 6144},
}
"""Of those whose layers differ from each other."""


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_memory_that_the_catalogue_tells_is_what_describe_asks_for(
    entry: CatalogueModel,
) -> None:
    """To a tenth: it is an estimate of an estimate, for choosing before there is a file."""
    layers, heads, kv_heads, width, head, picture_tokens = SHAPES[entry.name]
    facts = {
        "general.architecture": "any",
        "any.block_count": layers,
        "any.attention.head_count": heads,
        "any.attention.head_count_kv": kv_heads,
        "any.embedding_length": width,
        "any.attention.key_length": head,
        "any.attention.value_length": head,
        **{f"any.{key}": value for key, value in MORE.get(entry.name, {}).items()},
    }
    path = Path(entry.model_file)
    model = VisionModel(GgufHeader(path, entry.size_bytes, facts), GgufHeader(path, 0, {}))
    context_tokens = Prompt().context_tokens(picture_tokens)

    assert entry.memory_mib == pytest.approx(needed_mib(model, 1, context_tokens), rel=0.1)
    assert entry.context_mib == pytest.approx(model.slot_mib(context_tokens, 512), rel=0.1)


def test_the_readme_tells_what_the_catalogue_does() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for entry in CATALOGUE:
        about = "" if entry.is_size_exact else "about "
        row = f"| `{entry.name}` | {about}{entry.size_bytes / 1e9:.1f} GB | {entry.licence}"
        assert row in readme


def test_the_catalogue_goes_from_small_to_large_and_names_each_model_once() -> None:
    assert len(ENTRIES) == len({entry.repo for entry in CATALOGUE}) == len(CATALOGUE)
    for attribute in ("memory_mib", "from_gpu_mib", "from_ram_mib"):
        amounts = [getattr(entry, attribute) for entry in CATALOGUE]
        known = [amount for amount in amounts if amount is not None]
        assert known == sorted(set(known)), attribute


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_a_model_fits_the_smallest_machine_that_it_is_meant_for(entry: CatalogueModel) -> None:
    if entry.from_gpu_mib:
        assert fits(entry, Hardware("GPU", "", entry.from_gpu_mib))
    if entry.from_ram_mib:
        assert fits(entry, Hardware("CPU", "", entry.from_ram_mib))
