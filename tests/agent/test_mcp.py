"""`cinecut mcp`, as the protocol's own client speaks with it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from command import PATIENCE_S, cinecut_path, run
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from search.shelf import write_film

from cinecut.agent.shelf import Shelf
from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import JOURNAL_NAME, step_to_line
from cinecut.search.places import Found, find_journals

STREET = (
    "A red car stops under a lamp | tense | Two men get out | a street at night | Mind the car!"
)
KITCHEN = "A woman cuts bread | homely | She hums | a kitchen in the morning"
PICTURE = b"\xff\xd8 a picture"

_T = TypeVar("_T")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shelf = tmp_path / "films"
    folder = write_film(shelf, "city.mkv", [KITCHEN, STREET, KITCHEN], length_s=6.0)
    pictures = folder / "frames"
    pictures.mkdir()
    (pictures / "000001000.jpg").write_bytes(PICTURE)
    (folder / "storyboard.html").write_text("<p>A page</p>")
    sentences = [{"text": "A car comes.", "scenes": [1]}]
    told: dict[str, Any] = {"title": "Night", "sentences": sentences}
    steps = [
        SummaryEntry(step="chapter", key="a", first=0, last=2, told=told),
        SummaryEntry(step="synopsis", key="b", first=0, last=2, told={"sentences": sentences}),
    ]
    with (folder / JOURNAL_NAME).open("a") as journal:
        journal.writelines(map(step_to_line, steps))
    write_film(shelf / "old", "same.mkv", [KITCHEN])
    write_film(shelf / "new", "same.mkv", [STREET])
    write_film(tmp_path / "outside", "secret.mkv", [STREET])
    return shelf


def ask(shelf: Path, questions: Callable[[ClientSession], Awaitable[_T]]) -> _T:
    """Return what `questions` makes of a session with the server."""

    async def talk() -> _T:
        server = StdioServerParameters(
            command=cinecut_path(), args=["mcp", str(shelf)], env={**os.environ}
        )
        with anyio.fail_after(PATIENCE_S):
            async with (
                stdio_client(server) as (read, write),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                return await questions(session)

    return anyio.run(talk)


def told(result: Any) -> Any:
    """Return what a tool has answered, as JSON."""
    assert not result.is_error, result.content
    return json.loads(result.content[0].text)


def test_every_tool_answers(shelf: Path) -> None:
    async def questions(session: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {
            *("list_films", "search_scenes", "get_scene", "get_chapters", "keyframe_at")
        }
        assert all(tool.annotations.read_only_hint for tool in tools.values() if tool.annotations)

        films = (await session.call_tool("list_films", {})).structured_content["result"]
        names = [film["film"] for film in films]
        same = [str(shelf / where / "same.mkv.cinecut") for where in ("new", "old")]
        assert names == ["city.mkv", *same]
        assert (films[0]["file"], films[0]["duration_s"]) == ("city.mkv", 6.0)
        assert [film["is_complete"] for film in films] == [True, False, False]
        assert [film["scenes"] for film in films] == [3, None, None]

        found = await session.call_tool("search_scenes", {"query": "red car", "limit": 1})
        [hit] = found.structured_content["result"]
        assert (hit["scene"], hit["timestamp_s"]) in ((0, 0.0), (1, 1.0))
        of_one = {"query": "red car", "film": "city.mkv"}
        hits = (await session.call_tool("search_scenes", of_one)).structured_content["result"]
        assert {hit["film"] for hit in hits} == {"city.mkv"}
        assert (hits[0]["scene"], hits[0]["dialogue"]) == (1, ["Mind the car!"])

        for tool, where in (("get_scene", {"scene": 1}), ("keyframe_at", {"seconds": 1.4})):
            answer = await session.call_tool(tool, {"film": "city.mkv", **where})
            scene = told(answer)
            assert (scene["scene"], scene["timestamp_s"], scene["chapter"]) == (1, 1.0, "Night")
            assert scene["description"]["mood"] == "tense"
            assert answer.content[1].mime_type == "image/jpeg"
            assert base64.b64decode(answer.content[1].data) == PICTURE
        without = await session.call_tool("get_scene", {"film": "city.mkv", "scene": 0})
        assert len(without.content) == 1

        chapters = await session.call_tool("get_chapters", {"film": "city.mkv"})
        summary = told(chapters)["summary"]
        assert summary["chapters"][0]["title"] == "Night"
        assert summary["synopsis"][0]["text"] == "A car comes."
        none = await session.call_tool("get_chapters", {"film": same[0]})
        assert told(none) == {"summary": None}

        [page] = (await session.list_resources()).resources
        assert page.name == "city.mkv"
        [content] = (await session.read_resource(page.uri)).contents
        assert (content.text, content.mime_type) == ("<p>A page</p>", "text/html")

    ask(shelf, questions)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_scene", {"film": "secret.mkv", "scene": 0}, "There is no film secret.mkv here"),
        ("get_scene", {"film": "../outside/secret.mkv", "scene": 0}, "There is no film"),
        ("get_chapters", {"film": "/etc"}, "There is no film"),
        ("search_scenes", {"query": "car", "film": "secret.mkv"}, "There is no film"),
        ("search_scenes", {"query": "***"}, "no word"),
        ("search_scenes", {"query": "car", "limit": 1000}, "1 to 100"),
        ("get_scene", {"film": "city.mkv", "scene": 99}, "scenes: 0 to 2"),
        ("keyframe_at", {"film": "city.mkv", "seconds": 99}, "outside the film"),
        ("keyframe_at", {"film": "city.mkv", "seconds": -1}, "outside the film"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    shelf: Path, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    async def questions(session: ClientSession) -> None:
        answer = await session.call_tool(tool, arguments)
        assert answer.is_error
        assert reason in answer.content[0].text
        assert "Traceback" not in answer.content[0].text
        assert not (await session.call_tool("list_films", {})).is_error

    ask(shelf, questions)


def test_the_folders_are_looked_through_once_for_an_answer(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not once for each film of it or each hit: there may be a thousand."""
    looks = []

    def look(places: Iterable[Path]) -> Iterator[Found]:
        looks.append(places)
        return find_journals(places)

    monkeypatch.setattr("cinecut.agent.shelf.find_journals", look)
    films = Shelf([shelf])

    assert len(films.films()) == 3
    assert len(looks) == 1
    assert len(films.search("red car at night", 10, None)) > 1
    assert len(looks) == 2


def test_a_picture_that_is_a_link_is_not_followed(shelf: Path) -> None:
    secret = shelf.parent / "secret.jpg"
    secret.write_bytes(b"secret")
    picture = shelf / "city.mkv.cinecut" / "frames" / "000001000.jpg"
    picture.unlink()
    picture.symlink_to(secret)

    async def questions(session: ClientSession) -> int:
        answer = await session.call_tool("get_scene", {"film": "city.mkv", "scene": 1})
        return len(answer.content)

    assert ask(shelf, questions) == 1


def test_a_thousand_calls_leave_no_more_memory_in_use(shelf: Path) -> None:
    def resident_mib(pid: int) -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def server_pid() -> int:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and b"mcp" in (
                stat.parent / "cmdline"
            ).read_bytes().split(b"\0"):
                return int(stat.parent.name)
        raise AssertionError("the server is not there")

    async def questions(session: ClientSession) -> tuple[float, float]:
        async def call(times: int) -> None:
            for number in range(times):
                scene = {"film": "city.mkv", "scene": number % 3}
                assert not (await session.call_tool("get_scene", scene)).is_error
                if number % 10 == 0:
                    found = await session.call_tool("search_scenes", {"query": "red car"})
                    assert not found.is_error

        await call(200)
        before = resident_mib(server_pid())
        await call(800)
        return before, resident_mib(server_pid())

    before, after = ask(shelf, questions)
    assert after < before + 8


def test_a_client_that_is_killed_ends_it(shelf: Path) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", "import sys, time; print('x', flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
    )
    with subprocess.Popen(
        [cinecut_path(), "mcp", str(shelf)], stdin=client.stdout, stdout=subprocess.DEVNULL
    ) as server:
        assert client.stdout is not None
        client.stdout.close()
        time.sleep(0.1)
        assert server.poll() is None
        client.kill()
        client.wait()
        assert server.wait(PATIENCE_S) == 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run("mcp", "nowhere", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere is no folder" in done.stderr
