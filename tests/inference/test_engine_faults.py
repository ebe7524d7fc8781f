"""What a frame and a server do to each other: frames that kill, servers that die and come back."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults.reply_bodies import raw_server
from server_process import ServerProgram
from tiny_llava import TinyModel
from waiting import wait_until

from cinecut.errors import InferenceError
from cinecut.inference import GPU_LOCK, LlavaEngine, SceneDescription
from cinecut.models import KeyframeRecord, Skip

POISON = b"\xff\xd8\xff poison"
POISONED_SERVER = f"""#!{sys.executable}
import os, signal
from cinecut.mock_server import main, replies
honest = replies.completion
def completion(request, *arguments, **more):
    if b"poison" in request.pictures[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(request, *arguments, **more)
replies.completion = completion
raise SystemExit(main())
"""


def picture(number: int) -> bytes:
    return b"\xff\xd8\xff picture %d" % number


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """A server that one picture kills."""
    program = tmp_path / "poisoned-server"
    program.write_text(POISONED_SERVER)
    program.chmod(0o755)
    return program


@pytest.fixture
def frame_s(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Replies that take so long that several are under way at once."""
    monkeypatch.setenv("CINECUT_MOCK_FRAME_S", "0.2")
    return 0.2


@pytest.mark.parametrize("slots", [1, 4])
def test_a_picture_that_kills_the_server_takes_no_other_with_it(
    poisoned: Path, tiny_model: TinyModel, frame_s: float, slots: int
) -> None:
    pictures = [picture(number) for number in range(10)]
    pictures[2] = POISON
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=poisoned, slots=slots)
    with made as engine, ThreadPoolExecutor(slots) as pool:
        outcomes = list(pool.map(engine.describe, pictures))

    assert outcomes[2] == Skip("server_error", "The connection broke 3 times: ConnectionError")
    assert [number for number, one in enumerate(outcomes) if isinstance(one, Skip)] == [2]


@pytest.mark.parametrize(
    "fault", ["503@1-4", "429@1-4", "closed@1", "half@1", "kill@1", "segfault@2", "bad-json@1"]
)
def test_a_fault_that_passes_costs_no_frame(
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", fault)
    monkeypatch.setenv("CINECUT_MOCK_ONCE", str(tmp_path / "shown"))
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path, slots=2)
    with made as engine, ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(engine.describe, [picture(number) for number in range(4)]))

    assert [type(outcome) for outcome in outcomes] == [SceneDescription] * 4


def test_busy_replies_do_not_use_up_the_chances_of_a_lost_one(
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "503@1,2 kill@3")
    monkeypatch.setenv("CINECUT_MOCK_ONCE", str(tmp_path / "shown"))
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path, slots=1)
    with made as engine:
        assert isinstance(engine.describe(picture(1)), SceneDescription)


def test_a_server_that_dies_at_every_request_ends_the_run_and_frees_the_lock(
    mock_server: ServerProgram, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "kill@1-")
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path, slots=1)
    with made as engine:
        engine.describe(picture(1))
        with pytest.raises(InferenceError, match="failed 4 times"):
            engine.describe(picture(2))

    assert not GPU_LOCK.locked()


def test_a_frame_that_is_always_late_is_a_timeout_with_others_going_on(
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "server.log"
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "stall@1")
    made = LlavaEngine(
        tiny_model.model,
        tiny_model.mmproj,
        llama_server=mock_server.path,
        slots=2,
        log_path=log,
    )
    with made as engine, ThreadPoolExecutor(1) as pool:
        late = pool.submit(engine.describe, picture(0), 3.0)
        while b"processing task" not in log.read_bytes():
            time.sleep(0.01)
        while not late.done():
            assert isinstance(engine.describe(picture(1)), SceneDescription)
            time.sleep(0.05)

    assert late.result() == Skip("timeout", "No reply within 3 s.")


def test_leaving_the_block_lets_go_of_what_is_under_way(
    mock_server: ServerProgram, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread waits for a reply that will never come, however long a frame may take."""
    monkeypatch.setenv("CINECUT_MOCK_FAULT", "stall")
    before = threading.active_count()
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path, slots=2)
    with ThreadPoolExecutor(2) as pool:
        with made as engine:
            asked = [pool.submit(engine.describe, picture(number), 600.0) for number in range(2)]
            wait_until(lambda: threading.active_count() > before + 4)
        outcomes = [future.exception() or future.result() for future in asked]

    assert all(isinstance(outcome, InferenceError | Skip) for outcome in outcomes)
    wait_until(lambda: threading.active_count() == before)


def test_an_engine_whose_block_was_left_describes_nothing(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    made = LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path)
    with made as engine:
        assert isinstance(engine.describe(picture(1)), SceneDescription)

    path = tmp_path / "picture.jpg"
    path.write_bytes(picture(1))
    assert engine.describe_frame(KeyframeRecord(0.0, str(path), "scene_change"), 0.2) is None


def test_a_server_nobody_started_is_asked_again_and_then_skipped(tmp_path: Path) -> None:
    """Without a supervisor nothing can be restarted: three broken connections are enough."""
    engine = LlavaEngine.__new__(LlavaEngine)
    asked = []
    with raw_server(asked.append) as engine.base_url:
        outcome = engine.describe(picture(1))

    assert outcome == Skip("server_error", "The connection broke 3 times: ConnectionError")
    assert len(asked) == 3
