"""One process at a time has a GPU; the next one waits, knows for whom, and outlives its death."""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from cinecut.errors import MachineError, OutputError
from cinecut.inference.gpu import lock as gpu_lock
from cinecut.inference.gpu.lock import HELD, LockHolder, between_processes, in_words

PATIENCE_S = 30

HOLDER = """
import os, sys
from cinecut.inference.gpu import lock
from cinecut.inference.gpu.lock import between_processes
lock._IS_LINUX = bool(os.environ["IS_LINUX"])
if int(sys.argv[2]) != os.getuid():
    os.setuid(int(sys.argv[2]))
with between_processes(sys.argv[1], "describing other.mkv", print, lambda: False):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(gpu: str, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that holds the lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, gpu, str(os.getuid() if user is None else user)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take the lock of Linux, or that of elsewhere where a test asks for it."""
    kind: str = getattr(request, "param", "a name")
    monkeypatch.setattr(gpu_lock, "_IS_LINUX", kind == "a name")
    monkeypatch.setenv("IS_LINUX", "1" if kind == "a name" else "")
    return kind


both_kinds = pytest.mark.parametrize("kind", ["a name", "a file"], indirect=True)
a_file = pytest.mark.parametrize("kind", ["a file"], indirect=True)


def never() -> bool:
    return False


def unexpected(holder: LockHolder | None) -> None:
    pytest.fail(f"nobody has it, and yet it waits for {holder}")


@both_kinds
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


@both_kinds
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


@both_kinds
@pytest.mark.parametrize("torn", ['{"pid": 1', "[1]", '{"pid": 1}'])
def test_of_a_torn_note_only_what_is_known_is_told(kind: str, torn: str) -> None:
    told: list[LockHolder | None] = []
    with another_process("0") as holder:
        note = next(_cache().rglob("gpu-0.json"))
        assert json.loads(note.read_text())["pid"] == holder.pid
        note.write_text(torn)

        def let_go(who: LockHolder | None) -> None:
            told.append(who)
            holder.kill()

        with between_processes("0", "a task", let_go, never):
            assert told == [LockHolder(holder.pid) if kind == "a name" else None]


def test_a_gpu_may_have_any_name() -> None:
    with between_processes("../../etc/GPU 1" + "x" * 80, "a task", unexpected, never):
        names = {path.name for path in _cache().rglob("*.json")}

    assert names == {f"gpu-______etc_GPU_1{'x' * 80}.json"}


@a_file
def test_a_cache_folder_that_cannot_be_made_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    lock = between_processes("0", "a task", unexpected, never)

    with pytest.raises(OutputError, match="Set XDG_CACHE_HOME"), lock:
        pytest.fail("there is no lock")


def test_on_linux_it_needs_no_folder_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    told: list[LockHolder | None] = []
    with another_process("0") as holder:

        def let_go(who: LockHolder | None) -> None:
            told.append(who)
            holder.kill()

        with between_processes("0", "a task", let_go, never):
            assert told == [LockHolder(holder.pid)]


def test_a_lock_that_cannot_be_taken_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard[1]))
    try:
        with (
            pytest.raises(MachineError, match="Too many open files") as caught,
            between_processes("0", "a task", unexpected, never),
        ):
            pytest.fail("there is no lock")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, hard)
    assert "ulimit -n 1024" in caught.value.tip


def test_it_is_held_until_nobody_is_left_who_inherited_it() -> None:
    """As the leash does, when CineCut was killed and its server is still ending."""
    with between_processes("0", "a task", unexpected, never):
        heir = subprocess.Popen(["sleep", "600"], pass_fds=HELD)
    waits: list[LockHolder | None] = []
    again = between_processes("0", "a task", waits.append, lambda: bool(waits))
    try:
        with pytest.raises(KeyboardInterrupt), again:
            pytest.fail("the heir has it")
    finally:
        heir.kill()
        heir.wait(PATIENCE_S)


def test_who_names_another_lock_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_process("0"):
        monkeypatch.setenv("CINECUT_GPU_LOCK", "mine")
        with between_processes("0", "a task", unexpected, never):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be two users")
@pytest.mark.parametrize("user", [1, 54321], ids=["with a name", "without"])
def test_another_user_is_waited_for_and_named_and_the_task_is_not_told(user: int) -> None:
    told: list[LockHolder | None] = []
    with another_process("0", user) as holder:

        def let_go(who: LockHolder | None) -> None:
            told.append(who)
            holder.kill()

        with between_processes("0", "a task", let_go, never):
            (who,) = told
    name = pwd.getpwuid(user).pw_name if user == 1 else f"user {user}"
    assert in_words(who) == f"process {holder.pid} of {name}"


def test_who_has_it_in_words() -> None:
    assert in_words(LockHolder(7, "describing film.mkv")) == "process 7 (describing film.mkv)"
    assert in_words(LockHolder(0, user="anna")) == "a process of anna"
    assert in_words(None) == "another process"


def _cache() -> Path:
    return user_cache_path("cinecut", appauthor=False)
