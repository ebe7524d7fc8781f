"""Runs `cinecut describe` against the mock server as real processes, and looks at what is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import films
import tiny_llava
from faults.journal_file import JournalFile, read_journal
from faults.terminal import Terminal

MARKER = "CINECUT_FAULT_RUN"
PATIENCE_S = 90.0
"""Only a run that will never end takes so long."""
GONE_WITHIN_S = 2.0
"""How long a process may outlive the end of CineCut."""
_LOOK_S = 0.01
_AIR_S = 1.0  # for a machine that has other things to do

_LEASH = "leash.py "

FRAME_S = 0.08
LOAD_S = 0.4


class TooLateError(Exception):
    """CineCut ended before it reached the moment that was waited for."""


def program(name: str) -> str:
    """Return the path of a console script of the environment that runs this."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    assert found is not None, "the package is not installed: pip install -e ."
    return found


@dataclass(frozen=True)
class Film:
    """A film, and the scenes of a run that nothing disturbed."""

    path: Path
    scenes: Mapping[int, Mapping[str, Any]]
    """By index; without what may differ from run to run."""


class Bench:
    """What all runs share: films, a model, and the undisturbed scenes.

    In a short round the large log is smaller, and no run is resumed that had nothing begun.
    """

    def __init__(self, folder: Path, *, is_short: bool = False) -> None:
        self.folder, self.is_short = folder, is_short
        self.log_size = "100M" if is_short else "1G"
        self.model = tiny_llava.write_pair(folder / "model")
        self.film = self._film("film.mp4", shots=12, frames=12)
        self.other_film = self._film("other.mp4", shots=4, frames=12)
        self.long_film = self._film("long.mp4", shots=30, frames=12)

    def _film(self, name: str, *, shots: int, frames: int) -> Film:
        thumbs = [thumb for seed in range(shots) for thumb in films.still(seed, frames)]
        path = films.make_film(self.folder / name, thumbs)
        with Run(self.model, self.folder / f"undisturbed-{name}", path) as run:
            code = run.wait()
        assert code == 0, run.stderr
        scenes = run.journal.scenes
        assert len(scenes) >= shots, f"{len(scenes)} scenes of {shots} shots"
        assert all(scene["description"] for scene in scenes.values())
        return Film(path, scenes)


class Run:
    """One `cinecut describe` under way; leaving the block ends whatever is left of it."""

    def __init__(
        self,
        model: tiny_llava.TinyModel,
        folder: Path,
        film: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
        nvidia_smi: Path | None = None,
        llama_server: Path | None = None,
        shell: str = "",
        in_terminal: bool = False,
        into_pipe: bool = False,
    ) -> None:
        """Start it, `shell` being a script that runs what is "$@" to it.

        `folder` gets the results and what CineCut says; runs with the same `home` share the GPU.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.film = folder, film
        self.output_dir = folder / "results"
        self.home = home or folder / "home"
        self._mark = uuid.uuid4().hex
        self._error_path = folder / f"stderr-{self._mark[:8]}"
        command = [
            *(program("cinecut"), "describe", str(film)),
            *("--model", str(model.model), "--mmproj", str(model.mmproj)),
            *("--llama-server", str(llama_server or program("cinecut-mock-server"))),
            *("--output-dir", str(self.output_dir), "--parallel", "2", *options),
        ]
        command = ["/bin/sh", "-c", shell, "sh", *command] if shell else command
        nothing = folder / "no-programs"
        nothing.mkdir(exist_ok=True)
        self.terminal = Terminal(self._error_path) if in_terminal else None
        with (folder / "stdout").open("wb") as output, self._error_path.open("ab") as error:
            stdout = subprocess.PIPE if into_pipe else output
            self.process = subprocess.Popen(
                self.terminal.command(command) if self.terminal else command,
                stdin=self.terminal.theirs if self.terminal else subprocess.DEVNULL,
                stdout=self.terminal.theirs if self.terminal else stdout,
                stderr=self.terminal.theirs if self.terminal else error,
                start_new_session=True,
                env={
                    **_environment(self.home),
                    "PATH": str(nvidia_smi or nothing),
                    "CINECUT_MOCK_FRAME_S": str(FRAME_S),
                    "CINECUT_MOCK_LOAD_S": str(LOAD_S),
                    **(environment or {}),
                    MARKER: self._mark,
                },
            )
        if self.terminal:
            self.terminal.started()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes:
            _send(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        if self.terminal:
            self.terminal.close()
        self.close_stdout()

    @property
    def results(self) -> Path:
        return self.output_dir / f"{self.film.name}.cinecut"

    @property
    def journal(self) -> JournalFile:
        return read_journal(self.results / "scenes.jsonl")

    @property
    def stderr(self) -> str:
        return self._error_path.read_text(errors="replace")

    @property
    def log(self) -> bytes:
        """The beginning of the server's log."""
        try:
            with (self.results / "llama-server.log").open("rb") as log:
                return log.read(1 << 20)
        except OSError:
            return b""

    @property
    def processes(self) -> dict[int, str]:
        """Command lines of CineCut and of everything that it has started, by process id."""
        mark = f"{MARKER}={self._mark}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = command.decode(errors="replace")
            except OSError:
                continue  # it has just ended, or belongs to another user
        return found

    @property
    def servers(self) -> list[int]:
        """Process ids of the llama-server, or of what is about to become one."""
        return [pid for pid, command in self._on_a_leash if _LEASH not in command]

    @property
    def leashes(self) -> list[int]:
        """Process ids of what stands between CineCut and its servers."""
        return [pid for pid, command in self._on_a_leash if _LEASH in command]

    @property
    def _on_a_leash(self) -> list[tuple[int, str]]:
        return [entry for entry in self.processes.items() if " --port 0" in entry[1]]

    @property
    def has_stopped_server(self) -> bool:
        """Whether a server is under SIGSTOP."""
        for pid in self.servers:
            with contextlib.suppress(OSError):
                if Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "T":
                    return True
        return False

    def until(self, is_so: Callable[[], object], what: str) -> None:
        """Wait until `is_so` says yes.

        Raises:
            TooLateError: CineCut has ended before.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_so():
            if self.process.poll() is not None:
                raise TooLateError(f"ended before {what}")
            assert time.monotonic() < deadline_s, f"{what}: never came"
            time.sleep(_LOOK_S)

    def until_it_says(self, pattern: str) -> None:
        self.until(lambda: re.search(pattern, self.stderr), f"it says {pattern!r}")

    def signal(self, number: int) -> None:
        """Send a signal to CineCut alone."""
        _send(self.process.pid, number)

    def close_stdout(self) -> None:
        """Go away as the reader of a pipe."""
        if self.process.stdout is not None:
            self.process.stdout.close()

    def signal_server(self, number: int) -> None:
        """Send a signal to the server alone."""
        for pid in self.servers:
            _send(pid, number)

    def wait(self) -> int:
        """Return the exit code of CineCut, minus the signal's number if one has ended it."""
        return self.process.wait(PATIENCE_S)

    def left(self) -> list[str]:
        """Return what it has left although it ended: processes, locks."""
        deadline_s = time.monotonic() + GONE_WITHIN_S + _AIR_S
        while (processes := self.processes) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        problems = [f"left running: {command}" for command in processes.values()]
        # The files and not their folder: a lock that nobody took has left none.
        for path in self.output_dir.rglob(".lock"):
            with path.open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    problems.append(f"left locked: {path.name}")
        return problems


def _environment(home: Path) -> dict[str, str]:
    """Return an environment without the settings of whoever runs the tests."""
    home.mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(home), "CINECUT_GPU_LOCK": str(home)}
    return {**_SURROUNDINGS, **own, "PYTHONWARNINGS": "error", "NO_COLOR": "1"}


# Taken once: trials run in threads, beside tests that change the environment of this process.
_SURROUNDINGS = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("CINECUT_", "LLAMA_", "XDG_", "CUDA_"))
}


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)
