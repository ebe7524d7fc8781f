"""Results folders as somebody who means no good would send them, by number; and what must hold.

The same number makes the same folder. `scripts/fuzz_results` goes through thousands.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

EARLIER = Path(__file__).parent / "run" / "earlier"
SECRET = "the words of somebody else"
"""What stands in the files outside the folder: it must turn up nowhere."""

_DEEP = "a deep value"
"""Becomes 900 lists in each other, which Python reads and cannot write."""
_LONG_NUMBER = "a long number"

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**70), 0.5, -0.0, 1e308, -1e308, 1e9,
    float("nan"), float("inf"), float("-inf"), "", " ", "0", "NaN", "\0", "\ud800", "a\ud83db",
    "\u2028", "\u202egnp.exe", "\x1b]0;owned\x07\x1b[2J", "<script>alert(1)</script>",
    "javascript:alert(1)", "=1+1", "x" * 100_000, [], {}, [[]], [{}], {"a": {}}, ["a", 1, None],
    {"name": 3}, {"name": ["a"]}, {"": ""}, {"scenes": "many"}, {"scenes": -5, "skipped": 1.5},
    {"scenes": [1], "skipped": {}}, {"duration_s": 10**18}, {"duration_s": True}, {"model": 5},
    "/etc/passwd", "../../outside/victim", "..", ".", "/", "frames/../../outside/victim.jpg",
    "C:\\Windows\\win.ini", "\\\\server\\share\\x.jpg", "file:///etc/passwd", "//host/x.jpg",
    "000000960.jpg:stream", "CON.jpg", "1.svg", "1.html", "sub/000000001.jpg", _DEEP, _LONG_NUMBER,
]  # fmt: skip


def journal(number: int) -> bytes:
    """Return the journal of this number."""
    chance = random.Random(number)
    lines = (EARLIER / chance.choice(["done", "stopped"]) / "scenes.jsonl").read_bytes()
    entries = lines.splitlines(keepends=True)
    if number < len(KINDS):
        return KINDS[number](entries, chance)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        way = chance.choice([change_field] * 6 + KINDS)
        entries = way(entries, chance).splitlines(keepends=True)
    return b"".join(entries)


def change_field(lines: list[bytes], chance: random.Random) -> bytes:
    """Give a field, any deep inside a line, another value or name, or take it away."""
    at = 0 if chance.random() < 0.4 else chance.randrange(len(lines) or 1)
    try:
        entry = json.loads(lines[at])
        holder, key = chance.choice(list(_fields(entry)))
    except (ValueError, IndexError, RecursionError):
        return b"".join(lines)
    if chance.random() < 0.1:
        del holder[key]
    elif chance.random() < 0.05 and isinstance(holder, dict):
        holder[str(chance.choice(VALUES))] = holder.pop(key)
    else:
        holder[key] = chance.choice(VALUES)
    return b"".join([*lines[:at], _dumped(entry), *lines[at + 1 :]])


def _fields(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner:
        yield value, key
        if isinstance(each, dict | list):
            yield from _fields(each)


def _dumped(entry: Any) -> bytes:
    text = json.dumps(entry)
    text = text.replace(f'"{_DEEP}"', "[" * 900 + "]" * 900)
    return text.replace(f'"{_LONG_NUMBER}"', "7" * 400).encode() + b"\n"


def flip_bytes(lines: list[bytes], chance: random.Random) -> bytes:
    data = bytearray(b"".join(lines) or b"\n")
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(len(data))] = chance.choice([0, 10, 34, 92, 123, 125, 0xFF])
    return bytes(data)


def cut_off(lines: list[bytes], chance: random.Random) -> bytes:
    data = b"".join(lines)
    return data[: chance.randrange(len(data) + 1)]


def shuffled(lines: list[bytes], chance: random.Random) -> bytes:
    return b"".join(chance.sample(lines, len(lines)))


def no_run(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join(lines[1:])


def two_runs(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines, *lines[:1], *lines[:1]])


def scenes_twice(lines: list[bytes], chance: random.Random) -> bytes:
    return b"".join([*lines, *chance.choices(lines or [b"\n"], k=20)])


def same_index(lines: list[bytes], _: random.Random) -> bytes:
    return re.sub(rb'"index":\d+', b'"index":3', b"".join(lines))


def all_the_same(lines: list[bytes], _: random.Random) -> bytes:
    """Each says that it looks like itself, or like one that there is not."""
    return re.sub(rb'("index":(\d+),)', rb'\1"same_as":\2,', b"".join(lines))


def brackets(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines, b"[" * 100_000, b"\n", b'{"a":' * 100_000, b"\n"])


def long_line(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines[:2], b"x" * 5_000_000, b"\n", *lines[2:]])


def long_blanks(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines[:2], b" " * 5_000_000, *lines[2:], b"\n" * 100_000])


def tiny_lines(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines, b"{}\n" * 20_000])


def zeros(lines: list[bytes], _: random.Random) -> bytes:
    return b"".join([*lines, bytes(50_000), b"\n", *lines[1:]])


def nothing(_lines: list[bytes], _chance: random.Random) -> bytes:
    return b""


def many_sources(lines: list[bytes], _: random.Random) -> bytes:
    """A thousand scenes, each of a source that nobody knows."""
    scene = json.loads((EARLIER / "done" / "scenes.jsonl").read_bytes().splitlines()[1])
    found = []
    for number in range(1000):
        scene["keyframe"] |= {"timestamp_s": number / 7, "source": f"source {number}"}
        found.append(json.dumps(scene).encode() + b"\n")
    return b"".join([*lines[:1], *found])


def hostile_pictures(lines: list[bytes], chance: random.Random) -> bytes:
    """Paths that lead elsewhere, in every scene."""
    paths = ["/etc/passwd", "../../outside/victim", "..", "x/..", "C:\\..", "", "a.svg", "a\0.jpg"]

    def another(_: re.Match[bytes]) -> bytes:
        return b'"frame_path":' + json.dumps(chance.choice(paths)).encode()

    return re.sub(rb'"frame_path":"[^"]*"', another, b"".join(lines))


def odd_remarks(lines: list[bytes], chance: random.Random) -> bytes:
    """What a scene may tell of its reply besides, in other types and of other fields."""
    told = []
    for line in lines:
        with suppress(ValueError, AttributeError, RecursionError):
            scene = json.loads(line)
            if scene.get("type") == "scene":
                field = chance.choice(["shortened", "repeats_itself", "skipped"])
                own = [
                    ["mood", "mood", "none"],
                    ["mood"],
                    True,
                    {"reason": "too_large"},
                    "too_large",
                ]
                scene[field] = chance.choice([*own, *VALUES])
                line = _dumped(scene)
        told.append(line)
    return b"".join(told)


def hostile_dialogue(lines: list[bytes], chance: random.Random) -> bytes:
    """What nobody said, in every scene."""

    def said(match: re.Match[bytes]) -> bytes:
        line = {"start_s": chance.choice([0, 1.5, *VALUES]), "end_s": 2, "text": "said"}
        if chance.random() < 0.7:
            line |= {"start_s": 1, "text": chance.choice([v for v in VALUES if type(v) is str])}
        return (
            match[0] + b'"dialogue":' + json.dumps([line] * chance.choice([1, 40])).encode() + b","
        )

    return re.sub(rb'"type":"scene",', said, b"".join(lines))


def hostile_text(lines: list[bytes], chance: random.Random) -> bytes:
    """What stands in no picture, in every description."""
    texts = [value for value in VALUES if isinstance(value, str)]

    def shown(match: re.Match[bytes]) -> bytes:
        text = chance.choice(texts if chance.random() < 0.7 else VALUES)
        return match[0] + b'"text":' + json.dumps(text).encode() + b","

    return re.sub(rb'"description":\{', shown, b"".join(lines))


def hostile_summary(lines: list[bytes], chance: random.Random) -> bytes:
    """Steps of a summary among the lines: some right, others of scenes that there are not."""
    texts = [value[:3000] for value in VALUES if isinstance(value, str)]
    indexes = [0, 1, 2, 3, 9, 10**9, *VALUES]
    told = []
    for number in range(chance.choice([1, 8, 40])):
        first, last = chance.choices([0, 1, 2, 3, 9, 77, 10**9], k=2)
        sentence = {"text": chance.choice(texts), "scenes": chance.choices(indexes, k=3)}
        if chance.random() < 0.6:
            sentence["scenes"] = [first, last, chance.randrange(99)] * chance.choice([1, 20])
        element = {"name": chance.choice(texts), "kind": "place", "scenes": sentence["scenes"]}
        step = {
            "type": "summary",
            "step": chance.choice(["chapter", "chapter", "synopsis", "elements", "window"]),
            "key": str(number % 5 if chance.random() < 0.3 else number),
            "first": first,
            "last": last,
            "told": {
                "title": chance.choice(texts),
                "sentences": [sentence] * 2,
            },
        }
        step["told"]["elements"] = [element] * chance.choice([0, 3, 70])
        if chance.random() < 0.3:
            step[chance.choice([*step])] = chance.choice(VALUES)
        told.append(_dumped(step))
    run, *scenes = lines or [b"\n"]
    return b"".join([run, *chance.sample([*scenes, *told], len(scenes) + len(told))])


Way = Callable[[list[bytes], random.Random], bytes]
KINDS: list[Way] = [
    flip_bytes, cut_off, shuffled, no_run, two_runs, scenes_twice, same_index, all_the_same,
    brackets, long_line, long_blanks, tiny_lines, zeros, nothing, many_sources, hostile_pictures,
    odd_remarks, hostile_dialogue, hostile_summary,
    hostile_text,
]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder of somebody else, and what lies outside it."""

    folder: Path
    outside: Path

    def outsiders(self) -> dict[str, tuple[int, bytes]]:
        """Return what is outside: kinds and words."""
        return {
            str(path.relative_to(self.outside)): (
                path.lstat().st_mode,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in sorted(self.outside.rglob("*"))
        }


def make_place(parent: Path, number: int, name: str = "film.mkv.cinecut") -> Place:
    """Write the results folder of this number, with traps for whoever follows links."""
    chance = random.Random(f"traps {number}")
    place = Place(parent / name, parent / "outside")
    (place.outside / "frames").mkdir(parents=True)
    (place.outside / "victim").write_text(SECRET)
    place.folder.mkdir()
    (place.folder / "scenes.jsonl").write_bytes(journal(number))
    frames = [path.name for path in (EARLIER / "done" / "frames").iterdir()]
    for frame in frames:
        (place.outside / "frames" / frame).write_text(SECRET)
    if chance.random() < 0.1:
        (place.folder / "frames").symlink_to(place.outside / "frames")
    else:
        (place.folder / "frames").mkdir()
        for frame in frames:
            path = place.folder / "frames" / frame
            if chance.random() < 0.2:
                path.symlink_to(place.outside / "victim")
            else:
                path.write_bytes(b"a picture")
            if chance.random() < 0.1:
                aside = path.with_name(f".{frame}.0.part")
                aside.symlink_to(place.outside / "victim")
                path.with_name(f"{frame}.part").symlink_to(place.outside / "victim")
    for name in TRAPS:
        if chance.random() < 0.04:
            _set_trap(place.folder / name, place.outside, chance)
    return place


TRAPS = [
    "scenes.jsonl", "scenes.tmp", ".scenes.jsonl.0.part", "scenes.previous.jsonl", ".lock",
    "llama-server.log", "scenes.json", "scenes.csv", "scenes.srt", "scenes.vtt", "scenes.md",
    "storyboard.html", ".storyboard.html.0.part", ".scenes.json.0.part", "chapters.vtt",
    "chapters.xml", "descriptions.vtt", "film.nfo", "film-poster.jpg",
]  # fmt: skip


def _set_trap(path: Path, outside: Path, chance: random.Random) -> None:
    path.unlink(missing_ok=True)
    kind = chance.choice(["link", "link", "link", "new", "pipe", "folder", "loop"])
    if kind == "link":
        path.symlink_to(outside / "victim")
    elif kind == "new":
        path.symlink_to(outside / "new")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


def faults_of(place: Place) -> Iterator[str]:
    """Yield what is wrong with the exports in a folder; nothing, where they are harmless."""
    for path in place.folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if SECRET.encode() in content:
            yield f"{path.name} holds what lies outside"
        if path.suffix == ".part":
            yield f"{path.name} is left behind"
    exported = place.folder / "scenes.json"
    if exported.is_file() and not exported.is_symlink():
        try:
            json.loads(exported.read_text("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            yield f"scenes.json is no JSON: {error}"
    for name in ("film.nfo", "chapters.xml"):
        written = place.folder / name
        if written.is_file() and not written.is_symlink():
            try:
                ElementTree.parse(written)
            except ElementTree.ParseError as error:
                yield f"{name} is no XML: {error}"
    pages = {
        "storyboard.html": r'(?:src|href)="([^"#][^"]*)"',
        "scenes.md": r"!\[[^\]]*\]\(([^)]*)\)",
        "../../index.html": r'src="([^"]*)"',
    }
    for name, pattern in pages.items():
        page = place.folder / name
        if page.is_file() and not page.is_symlink():
            for link in re.findall(pattern, page.read_text("utf-8")):
                if not _stays_in(page.parent, page.parent / unquote(unescape(link))):
                    yield f"{name} links to {link[:80]}"


def _stays_in(folder: Path, path: Path) -> bool:
    if "\0" in str(path):
        return False
    real = os.path.realpath(path)
    inside = os.path.realpath(folder) + os.sep
    return real.startswith(inside) and "outside" not in Path(real.removeprefix(inside)).parts


def _refuse(text: str) -> None:
    raise ValueError(text)
