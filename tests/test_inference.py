"""The engine's contract: what every other part of CineCut, and other programs, rest on."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from pathlib import Path
from unittest.mock import patch

import pytest
import requests
import responses
from clips import BIKES, write_frames
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import CineCutError, InferenceError, VramError
from cinecut.inference import (
    GPU_LOCK,
    VRAM_MINIMUM_MIB,
    LlavaEngine,
    SceneDescription,
    check_vram_free_mib,
)
from cinecut.models import KeyframeRecord

GOOD = {
    "visual_content": "A bicycle leans on a wall.",
    "mood": "quiet",
    "action": "Nothing moves.",
    "setting": "A street in the morning.",
}
NOT_A_JPEG = b"\xff\xd8 the bytes of a picture, sent as they are"
URL = "http://127.0.0.1:9"


@pytest.fixture
def record(tmp_path: Path) -> KeyframeRecord:
    path = tmp_path / "000001500.jpg"
    path.write_bytes(NOT_A_JPEG)
    return KeyframeRecord(1.5, str(path), "scene_change")


@pytest.fixture
def engine() -> LlavaEngine:
    """An engine that was never entered: it has only an address."""
    engine = LlavaEngine.__new__(LlavaEngine)
    engine.base_url = URL
    return engine


def reply(content: object, finish_reason: str = "stop") -> dict[str, object]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": finish_reason}]}


@pytest.mark.server
def test_server_health(llama_server: ServerProgram, tiny_model: TinyModel) -> None:
    with LlavaEngine(tiny_model.model, tiny_model.mmproj) as engine:
        health = requests.get(f"{engine.base_url}/health", timeout=5)

        assert health.status_code == 200
        assert health.json() == {"status": "ok"}

    with pytest.raises(requests.ConnectionError):
        requests.get(health.url, timeout=5)


@pytest.mark.server
def test_no_model_reload(
    llama_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
) -> None:
    """One server loads the model once, and describes every frame of the block."""
    log = tmp_path / "server.log"
    with LlavaEngine(tiny_model.model, tiny_model.mmproj, log_path=log) as engine:
        address = engine.base_url
        described = [
            engine.describe_frame(KeyframeRecord(number, str(path), "interval_fallback"))
            for number, path in enumerate(write_frames(BIKES, tmp_path)[:3])
        ]

        assert engine.base_url == address
    assert [type(one) for one in described] == [SceneDescription] * 3
    assert len(re.findall("model loaded", log.read_text())) == 1


@responses.activate
def test_describe_frame_structure(engine: LlavaEngine, record: KeyframeRecord) -> None:
    """The picture's bytes go out as they are, and four strings come back."""
    responses.post(f"{URL}/v1/chat/completions", json=reply(json.dumps(GOOD)))

    assert engine.describe_frame(record) == SceneDescription(**GOOD)
    sent = json.loads(responses.calls[0].request.body)
    (image,) = (part for part in sent["messages"][0]["content"] if part["type"] == "image_url")
    assert (
        image["image_url"]["url"]
        == "data:image/jpeg;base64," + base64.b64encode(NOT_A_JPEG).decode()
    )


def test_describe_frame_goes_through_requests_post(
    engine: LlavaEngine, record: KeyframeRecord
) -> None:
    with patch("requests.post") as post:
        post.return_value.json.return_value = reply(json.dumps(GOOD))

        assert engine.describe_frame(record) == SceneDescription(**GOOD)


@responses.activate
@pytest.mark.parametrize(
    "content",
    [
        "not json at all",
        "",
        None,
        17,
        "[]",
        '{"visual_content": "A wall."}',
        '{"visual_content": " \\u001f", "mood": "m", "action": "a", "setting": "s"}',
        '{"visual_content": "", "mood": "m", "action": "a", "setting": "s"}',
        '{"visual_content": {"a": 1}, "mood": "m", "action": "a", "setting": "s"}',
        '{"visual_content": "A wall.", "mood": "m", "action": "a", "sett',
    ],
)
def test_malformed_response_skipped(
    engine: LlavaEngine, record: KeyframeRecord, content: object
) -> None:
    responses.post(f"{URL}/v1/chat/completions", json=reply(content))

    assert engine.describe_frame(record) is None


def test_vram_check(tmp_path: Path) -> None:
    """Too little memory ends it before there is a lock, a server or a look at the model."""
    answer = subprocess.CompletedProcess([], 0, stdout="500\n", stderr="")
    with patch("subprocess.run", return_value=answer) as run:
        with pytest.raises(VramError, match=r"^Insufficient VRAM for LLaVA inference\.") as raised:
            check_vram_free_mib()
        with pytest.raises(VramError), LlavaEngine(tmp_path / "m.gguf", tmp_path / "p.gguf"):
            pytest.fail("the block must not be entered")

    assert VRAM_MINIMUM_MIB == 6144
    assert "500 MiB free" in raised.value.detail
    assert run.call_args_list[0].args[0] == [
        "nvidia-smi",
        "--query-gpu=memory.free",
        "--format=csv,noheader,nounits",
    ]
    assert not GPU_LOCK.locked()


def test_gpu_lock(mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path) -> None:
    """The lock is held exactly while the block runs, also when the start fails."""
    assert isinstance(GPU_LOCK, type(threading.Lock()))

    def new_engine() -> LlavaEngine:
        return LlavaEngine(tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path)

    assert not GPU_LOCK.locked()
    with new_engine() as engine:
        assert GPU_LOCK.locked()
        assert engine.base_url
    assert not GPU_LOCK.locked()

    dies = patch.dict("os.environ", CINECUT_MOCK_FAULT="exit=1@load")
    with dies, pytest.raises(InferenceError), new_engine():
        pytest.fail("the block must not be entered")
    assert not GPU_LOCK.locked()

    missing = LlavaEngine(tmp_path / "none.gguf", tiny_model.mmproj, llama_server=mock_server.path)
    with pytest.raises(CineCutError), missing:
        pytest.fail("the block must not be entered")
    assert not GPU_LOCK.locked()

    class BugError(Exception):
        pass

    with pytest.raises(BugError), new_engine():
        raise BugError
    assert not GPU_LOCK.locked()
