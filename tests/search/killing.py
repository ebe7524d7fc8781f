"""Kills a search at a random moment of indexing, beside another one, and looks at what is left.

The tests do a short round of it, `scripts/kill_search` as many as are asked for.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shelf import scene, write_film

from cinecut.results.scenes import scene_to_line

TOLD = "A red car stops under a lamp | tense | Two men get out | a street at night"
SCENES = 150
PATIENCE_S = 120.0
SEARCHER = """
import sys
from pathlib import Path
from cinecut.search import Library
library = Library(Path(sys.argv[1]), index=Path(sys.argv[2]) if sys.argv[2:] else None)
print("begins", flush=True)
with library:
    print(len(library.search("car", 1_000_000)))
"""
NAMED = "no index, one named"
KINDS = ("no index", NAMED, "a journal grew", "zeros", "cut off", "a film is gone")
"""What the search that is killed finds."""


@dataclass
class Shelf:
    """Films that were described, and their index."""

    folder: Path
    films: int
    journals: dict[Path, bytes] = field(default_factory=dict)
    """What each journal has in it."""

    def __post_init__(self) -> None:
        for number in range(self.films):
            self.add(f"film {number}.mkv")

    @property
    def places(self) -> Path:
        return self.folder / "films"

    @property
    def index(self) -> Path:
        """In the user's cache folder: one that is named is never thrown away for damage."""
        return self.folder / "cinecut" / "search.sqlite"

    @property
    def scenes(self) -> int:
        """How many scenes a search has to find."""
        return sum(text.count(b'"visual_content"') for text in self.journals.values())

    def add(self, name: str) -> None:
        self.index.parent.mkdir(parents=True, exist_ok=True)
        journal = write_film(self.places, name, [TOLD] * SCENES) / "scenes.jsonl"
        self.journals[journal] = journal.read_bytes()

    def prepare(self, kind: str, chance: random.Random) -> None:
        """Do to index and journals what `kind` says."""
        size = self.index.stat().st_size if self.index.exists() else 0
        match kind:
            case "no index" | "no index, one named":
                for path in self.index.parent.iterdir():
                    path.unlink()
            case "zeros":
                self.index.write_bytes(bytes(size))
            case "cut off":
                self.index.write_bytes(self.index.read_bytes()[: chance.randrange(size + 1)])
            case "a journal grew":  # and was torn in the middle of a line
                journal = chance.choice([*self.journals])
                whole = self.journals[journal].rpartition(b"\n")[0] + b"\n"
                last = whole.count(b"\n")
                new = (scene_to_line(scene(last + at, TOLD)) for at in range(20))
                more = "".join(new).encode()
                self.journals[journal] = whole + more + more.partition(b"\n")[0][:100]
                journal.write_bytes(self.journals[journal])
            case "a film is gone":
                journal = chance.choice([*self.journals])
                journal.rename(journal.with_name("scenes.gone"))
                del self.journals[journal]
                self.add(f"film {chance.randrange(10**9)}.mkv")

    def searcher(self, kind: str = "") -> subprocess.Popen[str]:
        """Start a search and return when it is about to look at the journals."""
        named = [str(self.index.with_name("named"))] * (kind == NAMED)
        process = subprocess.Popen(
            [sys.executable, "-c", SEARCHER, str(self.places), *named],
            env={**os.environ, "XDG_CACHE_HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def problems(self, searchers: Sequence[subprocess.Popen[str]]) -> list[str]:
        """Wait for searches that nobody killed, and return what they have got wrong."""
        found = []
        for process in searchers:
            said, complaint = process.communicate(timeout=PATIENCE_S)
            if process.returncode or said.strip() != str(self.scenes):
                found.append(f"{said.strip() or process.returncode} for {self.scenes}. {complaint}")
        changed = [path for path, text in self.journals.items() if path.read_bytes() != text]
        return found + [f"{path} has changed" for path in changed]


@dataclass(frozen=True)
class Kill:
    """What became of one search that was killed."""

    kind: str
    after_s: float
    was_running: bool
    problems: list[str]


def time_to_index(shelf: Shelf) -> float:
    """Return how long a search takes that has everything to index, in seconds."""
    shelf.prepare("no index", random.Random(0))
    searcher, began_s = shelf.searcher(), time.monotonic()
    problems = shelf.problems([searcher])
    assert not problems, problems
    return time.monotonic() - began_s


def kill_some(shelf: Shelf, count: int, chance: random.Random) -> Iterator[Kill]:
    """Kill so many searches, of each kind in turn, at moments that shift to where it is at work."""
    within_s = dict.fromkeys(KINDS, time_to_index(shelf))
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield (kill := _kill_one(shelf, kind, chance, within_s[kind]))
        within_s[kind] *= 1.2 if kill.was_running else 0.6


def _kill_one(shelf: Shelf, kind: str, chance: random.Random, within_s: float) -> Kill:
    """Kill a search at a moment within so many seconds, beside one that goes on; then search."""
    shelf.prepare(kind, chance)
    after_s = chance.uniform(0, within_s)
    victim, other = shelf.searcher(kind), shelf.searcher(kind)
    time.sleep(after_s)
    was_running = victim.poll() is None
    victim.kill()
    victim.communicate()
    problems = shelf.problems([other])
    problems += shelf.problems([shelf.searcher(kind)])
    return Kill(kind, after_s, was_running, problems)
