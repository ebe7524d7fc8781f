"""A model is shown a known picture first: nonsense is warned of, and what was seen remembered."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import responses
from command import read_journal, run
from films import make_film, still
from PIL import Image
from platformdirs import user_cache_path
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.inference.engine import LlavaEngine
from cinecut.inference.known_picture import doubt_about, known_picture

Start = Callable[..., LlavaEngine]


@pytest.fixture
def start(
    tiny_model: TinyModel, mock_server: ServerProgram, monkeypatch: pytest.MonkeyPatch
) -> Start:
    """Make an engine whose server, a mock, has such faults."""

    def start_with(faults: str = "", program: Path = mock_server.path) -> LlavaEngine:
        monkeypatch.setenv("CINECUT_MOCK_FAULT", faults)
        files = tiny_model.model, tiny_model.mmproj
        return LlavaEngine(*files, llama_server=program, device="cpu", slots=1)

    return start_with


def doubt(engine: LlavaEngine, model: str = "tiny") -> str | None:
    return doubt_about(engine, {"model": model}, lambda: False)


def noted() -> Path:
    return user_cache_path("cinecut", appauthor=False) / "proven.txt"


def test_the_picture_is_red_with_a_word_in_white() -> None:
    picture = Image.open(io.BytesIO(known_picture()))

    counted = sorted(picture.getcolors(), reverse=True)

    assert [pixel for _, pixel in counted] == [(200, 16, 16), (255, 255, 255)]
    assert counted[0][0] > 5 * counted[1][0] > 0


def test_sense_is_remembered_of_this_model_and_program_for_a_week(
    start: Start, mock_server: ServerProgram, tmp_path: Path
) -> None:
    another = tmp_path / "another-server"
    shutil.copy(mock_server.path, another)

    with start() as engine:
        assert doubt(engine) is None
    day, _, name = noted().read_text().partition(" ")
    with start("garbage", program=another) as engine:
        assert doubt(engine) is not None
    with start("garbage") as engine:
        assert doubt(engine) is None
        assert doubt(engine, "another") is not None
        for line in ("no line of ours\n", f"2020-01-01 {name}", f"9999-01-01 {name}"):
            noted().write_text(line)
            assert doubt(engine) is not None
        noted().write_text(f"{day} {name}")
        assert doubt(engine) is None


def test_nonsense_is_told_each_time_and_nothing_need_be_remembered(start: Start) -> None:
    with start("garbage") as engine:
        told = doubt(engine), doubt(engine)

        assert told[0] == told[1] is not None
        assert 'says "GGGGGG' in str(told[0])
        assert not noted().exists()
    noted().mkdir(parents=True)
    with start() as engine:
        assert doubt(engine) is None


def test_nonsense_is_a_warning_and_no_fault_of_a_run(with_mock: None, tmp_path: Path) -> None:
    """The first numbered fault still strikes the first frame: the known picture has no number."""
    film = make_film(tmp_path / "film.mkv", [*still(1, 20), *still(2, 20)])
    faults = {"CINECUT_MOCK_FAULT": "garbage 400@1", "CINECUT_NO_SUBTITLES": "1"}

    warned = run("describe", film, **faults)
    journal = read_journal(tmp_path / "film.mkv.cinecut")
    unasked = run("describe", film, "--fresh", "--no-proof", **faults)

    assert warned.returncode == unasked.returncode == 0, warned.stderr + unasked.stderr
    assert warned.stderr.count("which is no language") == 1
    assert "no language" not in unasked.stderr
    assert [line["skipped"] is None for line in journal[1]].count(False) <= 1
    assert "proof" not in str(journal[0])


def test_word_salad_of_a_real_server_is_no_language(
    tiny_model: TinyModel, llama_server: ServerProgram
) -> None:
    files = tiny_model.model, tiny_model.mmproj
    with LlavaEngine(*files, llama_server=llama_server.path, device="cpu", slots=1) as engine:
        assert "which is no language" in str(doubt(engine))


def test_ctrl_c_is_heard_while_the_model_answers(start: Start) -> None:
    with start() as engine:
        assert engine.server is not None
        os.kill(engine.server.pids[0], signal.SIGSTOP)
        try:
            with pytest.raises(KeyboardInterrupt):
                doubt_about(engine, {}, lambda: True)
        finally:
            os.kill(engine.server.pids[0], signal.SIGCONT)


@pytest.mark.parametrize(
    ("message", "end", "is_doubted"),
    [
        ({"content": "", "reasoning_content": "The picture is red and so is"}, "length", False),
        ({"content": None, "reasoning": "The picture is red and so is"}, "length", False),
        ({"content": ""}, "length", False),  # it has thought all the time, and does not say what
        ({"content": ""}, "stop", True),
        ({"content": "@@@@@@@@@@@@"}, "length", True),
        (None, None, False),
    ],
)
def test_what_a_server_of_somebody_else_says_counts(
    message: object, end: str | None, is_doubted: bool
) -> None:
    reply = {"choices": [{"message": message, "finish_reason": end}]} if end else {"error": "none"}
    engine = LlavaEngine.__new__(LlavaEngine)
    engine.base_url, engine.program_version, engine.on_gpu = "http://127.0.0.1:9", "attached", True
    with responses.RequestsMock() as mock:
        mock.post("http://127.0.0.1:9/v1/chat/completions", json=reply)
        told = doubt(engine)
        body = json.loads(mock.calls[0].request.body)

    assert (told is not None) == is_doubted
    assert {"grammar", "response_format"}.isdisjoint(body)
    assert body["max_tokens"] <= 48
    assert body["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;")
