"""The stand-in model is small, loads in a real llama-server, and its damaged forms fail there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_llava
from server_process import ServerProcess, ServerProgram, chat_body, code_of_failed_start, text_of
from test_server_contract import RESPONSE_FORMAT, jpeg
from tiny_llava import TinyModel

pytestmark = pytest.mark.server

VALID_REPLIES = 16


def start(program: ServerProgram, pair: TinyModel, log_path: Path, *flags: str) -> ServerProcess:
    files = ("-m", pair.model, "--mmproj", pair.mmproj)
    return ServerProcess(program, *files, "-np", "1", "-c", "2048", *flags, log_path=log_path)


def test_both_files_together_are_under_a_megabyte(tiny_model: TinyModel) -> None:
    assert tiny_model.model.stat().st_size + tiny_model.mmproj.stat().st_size < 1_000_000


def test_the_script_writes_the_same_pair_every_time(tiny_model: TinyModel, tmp_path: Path) -> None:
    script = Path(tiny_llava.__file__)
    subprocess.run([sys.executable, script, tmp_path / "new"], check=True, timeout=60)

    assert (tmp_path / "new" / "model.gguf").read_bytes() == tiny_model.model.read_bytes()
    assert (tmp_path / "new" / "mmproj.gguf").read_bytes() == tiny_model.mmproj.read_bytes()


def test_every_reply_under_a_bounded_schema_is_whole_and_plain_ascii(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    picture = jpeg("red")
    with start(llama_server, tiny_model, tmp_path / "log") as server:
        texts = [
            text_of(
                server.chat(
                    picture, response_format=RESPONSE_FORMAT, seed=seed, temperature=seed % 4 * 0.5
                )
            )
            for seed in range(VALID_REPLIES)
        ]

    scenes = [json.loads(text) for text in texts]
    words = [word for scene in scenes for word in scene.values()]
    assert all(word.strip() and word.isascii() and word.isprintable() for word in words)
    assert len(set(texts)) > VALID_REPLIES // 2


def test_model_without_a_template_gets_chatml(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    model = tiny_llava.write_text_model(tmp_path / "old.gguf", chat_template=None)
    with start(llama_server, TinyModel(model, tiny_model.mmproj), tmp_path / "log") as server:
        prompt = server.post("/apply-template", chat_body(jpeg("red"))).json()["prompt"]

    assert prompt.startswith("<|im_start|>user\n")


def test_models_own_template_is_vicunas(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> None:
    with start(llama_server, tiny_model, tmp_path / "log") as server:
        marker = server.get("/props").json().get("media_marker", "<__media__>")
        prompt = server.post("/apply-template", chat_body(jpeg("red"), text="Look.")).json()

    assert prompt == {"prompt": f"USER: {marker}Look.\nASSISTANT:"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("misfit", "mismatch between text model (n_embd = 96) and mmproj (n_embd = 64)"),
        ("alien", "unknown model architecture: 'alien'"),
        ("truncated", "data is not within the file bounds, model is corrupted or incomplete"),
        ("truncated mmproj", "Failed to load CLIP model"),
    ],
)
def test_damaged_files_end_the_start_with_their_reason_in_the_log(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path, damage: str, reason: str
) -> None:
    path, model, mmproj = tmp_path / "damaged.gguf", tiny_model.model, tiny_model.mmproj
    if damage == "misfit":
        model = tiny_llava.write_text_model(path, width=96)
    elif damage == "alien":
        model = tiny_llava.write_text_model(path, architecture="alien")
    elif damage == "truncated":
        model = tiny_llava.write_truncated(path, model)
    else:
        mmproj = tiny_llava.write_truncated(path, mmproj)

    pair = TinyModel(model, mmproj)
    code = code_of_failed_start(lambda: start(llama_server, pair, tmp_path / "log"), reason)

    assert code == 1
