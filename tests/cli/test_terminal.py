"""What a person sees in a real terminal, read back from tmux."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import command
import pytest
from clips import BIKES
from filelock import FileLock
from tools import needed

PROMPT = "ready$ "


class Screen:
    """A terminal of its own; leaving the block ends it."""

    def __init__(self, columns: int, rows: int, folder: Path) -> None:
        self._tmux = ["tmux", "-L", f"cinecut-{uuid.uuid4().hex}", "-f", "/dev/null"]
        size = ["-x", str(columns), "-y", str(rows)]
        shell = f"env PS1='{PROMPT}' bash --norc --noprofile"
        self._run("new-session", "-d", *size, "-c", str(folder), shell)
        self.wait_for(lambda text: PROMPT.strip() in text)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server")

    def type(self, line: str) -> None:
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    def press(self, key: str) -> None:
        self._run("send-keys", key)

    def read(self, *, colours: bool = False, history: bool = False) -> str:
        flags = (["-e"] if colours else []) + (["-S", "-"] if history else [])
        return self._run("capture-pane", "-p", *flags)

    def wait_for(self, is_there: Callable[[str], object]) -> str:
        deadline_s = time.monotonic() + command.PATIENCE_S
        while not is_there(text := self.read()):
            assert time.monotonic() < deadline_s, f"it never came:\n{text}"
            time.sleep(0.05)
        return text

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return Path(shutil.copy(BIKES, tmp_path))


@pytest.fixture
def describe(with_mock: None, monkeypatch: pytest.MonkeyPatch, film: Path) -> str:
    """The command line that describes the film slowly enough to be watched."""
    needed("tmux", "tmux")
    monkeypatch.setenv("CINECUT_MOCK_FRAME_S", "0.4")
    monkeypatch.setenv("CINECUT_PARALLEL", "2")
    monkeypatch.setenv("CINECUT_INTERVAL", "1")
    return shlex.join([command.cinecut_path(), "describe", film.name])


def is_back(text: str) -> bool:
    return text.rstrip().endswith(PROMPT.strip())


def live_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(r"\d+ done, \d+ skipped", line)]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10)])
def test_one_live_line_comes_and_goes(describe: str, film: Path, columns: int, rows: int) -> None:
    with Screen(columns, rows, film.parent) as screen:
        screen.type(f"clear; CINECUT_MOCK_LOAD_S=1 {describe}")
        loading = screen.wait_for(lambda text: "llama-server gets ready" in text)
        assert len(loading.split("llama-server")) == 2
        shown = screen.wait_for(lambda text: re.search(r"[2-9] done.*left", text))
        assert len(live_lines(shown)) == 1
        assert len(live_lines(shown)[0]) < columns
        screen.wait_for(is_back)
        everything = screen.read(history=True)

    assert live_lines(everything) == []
    assert "gets ready" not in everything
    joined = " ".join(everything.split())
    assert re.search(r"bikes.mp4: \d+ scenes described", joined)
    assert "scene change" in joined
    assert all(len(line) <= columns for line in everything.splitlines())
    scenes = everything[everything.index("00:") : everything.index("bikes.mp4: ")].splitlines()
    assert all(line.startswith(("00:", "  ")) for line in scenes), scenes
    assert (columns < 80) == any(line.startswith("    ") for line in scenes), scenes


def test_ctrl_c_leaves_a_clean_screen(describe: str, film: Path) -> None:
    with Screen(80, 24, film.parent) as screen:
        screen.type(f"clear; {describe}; echo code $?")
        screen.wait_for(lambda text: re.search(r"[1-9] done", text))
        screen.press("C-c")
        text = screen.wait_for(lambda text: "code 130" in text)

    assert live_lines(text) == []
    assert "Interrupted. The same command again goes on from here." in text
    assert "Traceback" not in text


def test_no_colour_where_none_is_wanted(describe: str, film: Path) -> None:
    colour = re.compile(r"\x1b\[[\d;]*3[0-7]m")
    for setting, coloured in (("", True), ("NO_COLOR=1 ", False)):
        with Screen(80, 24, film.parent) as screen:
            screen.type(f"clear; {setting}{describe} --fresh")
            shown = screen.wait_for(lambda text: live_lines(text))
            escapes = colour.search(screen.read(colours=True))
            screen.wait_for(is_back)

        assert (escapes is not None) == coloured, shown


def test_a_closed_terminal_ends_the_run_in_order(describe: str, film: Path) -> None:
    """SIGHUP; that no process is left is seen by every test's own check."""
    with Screen(80, 24, film.parent) as screen:
        screen.type(describe)
        screen.wait_for(lambda text: re.search(r"[1-9] done", text))

    folder = film.with_name("bikes.mp4.cinecut")
    with FileLock(folder / ".lock", timeout=10):  # free as soon as the run has ended
        pass
    run, scenes = command.read_journal(folder)
    assert run["finished"] is None
    assert scenes


def test_nothing_but_data_in_a_pipe(describe: str, film: Path) -> None:
    done = command.run("describe", film, "--json")

    assert done.returncode == 0
    assert all(line.startswith('{"film":') for line in done.stdout.splitlines())
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr.count("\n") <= 4


def test_quiet_says_nothing(describe: str, film: Path) -> None:
    done = command.run("describe", film, "--quiet", "--fresh")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_reader_that_has_had_enough_ends_the_run(describe: str, film: Path) -> None:
    """As in `cinecut describe film --json | head -1`."""
    with command.start("describe", film, "--json") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        talk = process.stderr.read()
        process.wait(command.PATIENCE_S)

    assert "Traceback" not in talk
    assert "BrokenPipe" not in talk
    assert process.returncode not in (0, -signal.SIGPIPE)
