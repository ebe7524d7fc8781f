"""One process at a time has a GPU; the next one waits, knows for whom, and outlives its death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from cinecut.errors import OutputError
from cinecut.inference.gpu.lock import LockHolder, between_processes

PATIENCE_S = 30

HOLDER = """
import sys
from cinecut.inference.gpu.lock import between_processes
with between_processes(sys.argv[1], "describing other.mkv", print, lambda: False):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(gpu: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that holds the lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, gpu]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def never() -> bool:
    return False


def unexpected(holder: LockHolder | None) -> None:
    pytest.fail(f"nobody has it, and yet it waits for {holder}")


@pytest.mark.parametrize("end", ["in order", "SIGKILL"])
def test_the_next_one_waits_says_for_whom_and_goes_on(end: str) -> None:
    told: list[LockHolder | None] = []
    with another_process("0") as holder:

        def let_go(who: LockHolder | None) -> None:
            told.append(who)
            if end == "SIGKILL":
                holder.send_signal(signal.SIGKILL)
            else:
                assert holder.stdin
                holder.stdin.close()

        with between_processes("0", "describing film.mkv", let_go, never):
            assert told == [LockHolder(holder.pid, "describing other.mkv")]


def test_another_gpu_is_free() -> None:
    with another_process("0"), between_processes("1", "a task", unexpected, never):
        pass


def test_a_lock_of_a_dead_process_is_free() -> None:
    with another_process("0") as holder:
        holder.kill()
        holder.wait(PATIENCE_S)
        with between_processes("0", "a task", unexpected, never):
            pass


def test_waiting_can_be_cancelled() -> None:
    waits = threading.Event()
    with another_process("0"):
        lock = between_processes("0", "a task", lambda _: waits.set(), waits.is_set)
        with pytest.raises(KeyboardInterrupt), lock:
            pytest.fail("somebody else has it")


def test_it_can_be_had_again_and_again_after_any_end() -> None:
    class BugError(Exception):
        pass

    for _ in range(2):
        with pytest.raises(BugError), between_processes("0", "a task", unexpected, never):
            raise BugError


def test_a_torn_note_about_the_holder_is_no_holder() -> None:
    told: list[LockHolder | None] = []
    with another_process("0") as holder:
        note = next(_cache().rglob("gpu-0.json"))
        assert json.loads(note.read_text())["pid"] == holder.pid
        note.write_text('{"pid": 1')

        def let_go(who: LockHolder | None) -> None:
            told.append(who)
            holder.kill()

        with between_processes("0", "a task", let_go, never):
            assert told == [None]


def test_a_gpu_of_any_name_gets_a_file_of_its_own() -> None:
    with between_processes("../../etc/GPU 1", "a task", unexpected, never):
        names = {path.name for path in _cache().rglob("*.lock")}

    assert names == {"gpu-______etc_GPU_1.lock"}


def test_a_cache_folder_that_cannot_be_made_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    lock = between_processes("0", "a task", unexpected, never)

    with pytest.raises(OutputError, match="Set XDG_CACHE_HOME"), lock:
        pytest.fail("there is no lock")


def _cache() -> Path:
    return user_cache_path("cinecut", appauthor=False)
