"""With --moments the model is shown what moves, each shot once, whatever happens to the run."""

from __future__ import annotations

import io
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

import command
import jsonschema
import pytest
from families.family import Family
from families.internvl import INTERNVL3
from families.llava import LLAVA
from families.qwen import QWEN25VL
from families.trial import jpeg
from films import Look, Thumb, blend, index_of, make_film, make_sound, picture
from listening_server import ListeningServer
from PIL import Image
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.film.picture.jpeg import fit_jpeg
from cinecut.film.picture.strip import join_jpegs
from cinecut.inference import LlavaEngine
from cinecut.inference.asking import ask_server
from cinecut.inference.model.vision_model import read_vision_model
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.prompt import make_prompt

RATE = 5
SHOTS, FRAMES_PER_SHOT = 4, 15

Start = Callable[..., Any]


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """A model that takes several pictures."""
    return QWEN25VL.write(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def moving_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots of three seconds in which something moves."""
    thumbs: list[Thumb] = []
    for seed in range(SHOTS):
        one, other = picture(seed), blend(picture(seed), picture(seed + 1000), 0.3)
        thumbs += [blend(one, other, number / FRAMES_PER_SHOT) for number in range(FRAMES_PER_SHOT)]
    path = tmp_path_factory.mktemp("moving") / "film.mkv"
    return make_film(path, thumbs, Look(rate=Fraction(RATE)))


@pytest.fixture
def film(moving_film: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(moving_film, tmp_path))


@pytest.fixture
def server(tmp_path: Path) -> ListeningServer:
    return ListeningServer(tmp_path)


@pytest.fixture
def start(server: ListeningServer) -> Start:
    """Begin to describe a film with a mock that keeps what it is asked."""

    def begin(film: Path, pair: TinyModel, *options: str, **environment: str) -> Any:
        model = ("--model", pair.model, "--mmproj", pair.mmproj)
        settings = {"CINECUT_LLAMA_SERVER": str(server.path), **environment}
        return command.start("describe", film, *model, *options, **settings)

    return begin


def told(process: Any) -> str:
    _, talk = process.communicate(timeout=command.PATIENCE_S)
    assert process.returncode == 0, talk
    return talk


def journal_of(film: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return command.read_journal(film.with_name(f"{film.name}.cinecut"))


def shown_by(scene: dict[str, Any]) -> list[int]:
    """The indices of the frames that a scene of the journal names."""
    times = [scene["keyframe"]["timestamp_s"], *scene.get("moments", [])]
    return sorted(round(time_s * RATE) for time_s in times)


def cells_of(strip: bytes, cells: int, *, is_down: bool = True) -> list[bytes]:
    """Cut a strip into its pictures."""
    whole = Image.open(io.BytesIO(strip))
    width, height = (
        whole.width // (1 if is_down else cells),
        whole.height // (cells if is_down else 1),
    )
    pieces = []
    for number in range(cells):
        x, y = (0, number * height) if is_down else (number * width, 0)
        content = io.BytesIO()
        whole.crop((x, y, x + width, y + height)).save(content, "JPEG", quality=95)
        pieces.append(content.getvalue())
    return pieces


def test_a_model_of_several_pictures_gets_them_in_time_order(
    film: Path, qwen: TinyModel, server: ListeningServer, start: Start
) -> None:
    talk = told(start(film, qwen, "--moments", "4", "--parallel", "1"))

    scenes = journal_of(film)[1]
    assert [[*map(index_of, one.pictures)] for one in server.heard] == [*map(shown_by, scenes)]
    assert [len(one.pictures) for one in server.heard] == [4] * SHOTS
    for one in server.heard:
        assert "The 4 pictures show the same shot in time order" in one.prompt
    assert "Up to 4 pictures a keyframe: about " in talk


def test_another_model_gets_them_as_one_strip(
    film: Path, tiny_model: TinyModel, server: ListeningServer, start: Start
) -> None:
    options = ("--moments", "3", "--parallel", "1", "--format", "json")
    talk = told(start(film, tiny_model, *options))

    scenes = journal_of(film)[1]
    document = json.loads((film.with_name("film.mkv.cinecut") / "scenes.json").read_text())
    schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    assert [one["moments"] for one in document["scenes"]] == [one["moments"] for one in scenes]
    strips = [one.pictures for one in server.heard]
    assert [len(pictures) for pictures in strips] == [1] * SHOTS
    assert [[*map(index_of, cells_of(one, 3))] for [one] in strips] == [*map(shown_by, scenes)]
    for one in server.heard:
        assert "3 pictures of the same shot in time order, one below the other" in one.prompt
    assert "they go as a strip, each smaller and for no more tokens." in talk


def test_a_strip_of_high_pictures_goes_from_left_to_right() -> None:
    high, wide = jpeg((378, 672)), jpeg((672, 378))

    strip, is_down = join_jpegs([high, high, wide])

    assert not is_down
    whole = Image.open(io.BytesIO(strip))
    assert max(whole.size) <= 672 * 16 // 9 + 1
    assert whole.width / whole.height == pytest.approx(3 * 378 / 672, rel=0.02)


@pytest.mark.parametrize("broken", [b"", b"no JPEG", b"\xff\xd8\xff\xd9"])
def test_what_is_no_picture_makes_no_strip(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        join_jpegs([jpeg((64, 48)), broken])


def test_a_picture_that_cannot_be_read_is_a_skip_of_its_keyframe(
    film: Path, tiny_model: TinyModel, start: Start
) -> None:
    """The third is damaged while the first is being described."""
    frames = film.with_name("film.mkv.cinecut") / "frames"
    options = ("--moments", "3", "--parallel", "1")
    process = start(film, tiny_model, *options, CINECUT_MOCK_FRAME_S="0.7")
    deadline_s = time.monotonic() + command.PATIENCE_S
    while len(pictures := sorted(frames.glob("*.jpg"))) < 3:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    pictures[2].write_bytes(b"no JPEG")

    talk = told(process)

    scenes = journal_of(film)[1]
    reasons = [scene["skipped"] and scene["skipped"]["reason"] for scene in scenes]
    assert reasons == [None, None, "bad_image", None]
    assert "Traceback" not in talk


def test_a_killed_run_asks_nothing_twice_and_another_number_is_another_run(
    film: Path, qwen: TinyModel, server: ListeningServer, start: Start
) -> None:
    journal = film.with_name("film.mkv.cinecut") / "scenes.jsonl"
    slow = {"CINECUT_MOCK_FRAME_S": "0.4"}
    process = start(film, qwen, "--moments", "3", "--json", "--parallel", "1", **slow)
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=command.PATIENCE_S)
    kept = journal.read_text().count("\n") - 1
    answered = len(server.heard)
    assert 2 <= kept < SHOTS

    told(start(film, qwen, "--moments", "3"))

    assert len(server.heard) - answered == SHOTS - kept
    run, scenes = journal_of(film)
    assert run["settings"]["moments"] == 3
    assert [len(scene["moments"]) for scene in scenes] == [2] * SHOTS

    told(start(film, qwen, "--moments", "1"))
    run, scenes = journal_of(film)
    assert "moments" not in run["settings"]  # as in the journals of earlier versions
    assert not any("moments" in scene for scene in scenes)
    assert [len(one.pictures) for one in server.heard[-SHOTS:]] == [1] * SHOTS
    assert journal.with_name("scenes.previous.jsonl").exists()


@pytest.mark.parametrize("name", ["Qwen2.5-VL-7B-Instruct.gguf", "llava-v1.5-7b.gguf"])
def test_of_a_server_that_runs_the_models_name_tells(
    film: Path, tiny_model: TinyModel, server: ListeningServer, tmp_path: Path, name: str
) -> None:
    model = shutil.copy(tiny_model.model, tmp_path / name)
    flags = ("-m", model, "--mmproj", tiny_model.mmproj, "-c", "65536", "-np", "4")
    program = ServerProgram(server.path)
    with ServerProcess(program, *flags, log_path=tmp_path / "log") as process:
        key = {"CINECUT_API_KEY": API_KEY}
        options = ("--server-url", process.url, "--moments", "3")
        done = command.run("describe", film, *options, **key)

    assert done.returncode == 0, done.stderr
    several = 3 if "Qwen" in name else 1
    # A llama-server is first asked whether it reads a grammar, without a picture.
    assert [len(one.pictures) for one in server.heard if one.pictures] == [several] * SHOTS
    assert done.stderr.count("Up to 3 pictures a keyframe") == 1


def test_a_film_of_sound_alone_and_a_number_out_of_range_have_one_message(
    film: Path, tiny_model: TinyModel, tmp_path: Path, start: Start
) -> None:
    sound = make_sound(tmp_path / "sound.mka")
    for path, number, said in (
        (sound, "3", "There is no video stream in it."),
        (film, "0", "'--moments'"),
        (film, "5", "'--moments'"),
    ):
        process = start(path, tiny_model, "--moments", number)
        _, talk = process.communicate(timeout=command.PATIENCE_S)
        assert process.returncode in (1, 2)
        assert talk.count(said) == 1
        assert not path.with_name(f"{path.name}.cinecut").exists()


@contextmanager
def counted_tokens() -> Iterator[list[int]]:
    """Collect what the server counts in each question."""
    counted: list[int] = []

    def ask(*arguments: Any, **more: Any) -> Any:
        reply = ask_server(*arguments, **more)
        counted.append(reply["usage"]["prompt_tokens"])
        return reply

    with patch("cinecut.inference.question.chat.ask_server", ask):
        yield counted


@pytest.mark.server
@pytest.mark.parametrize("family", [LLAVA, QWEN25VL, INTERNVL3], ids=lambda family: family.name)
def test_a_real_server_has_room_for_all_moments(
    family: Family, llama_server: ServerProgram, tmp_path: Path
) -> None:
    pair, prompt = family.write(tmp_path), make_prompt(moments=4)
    model = read_vision_model(pair.model, pair.mmproj)
    notices: list[str] = []
    engine = LlavaEngine(
        *(pair.model, pair.mmproj),
        **{"llama_server": llama_server.path, "device": "cpu", "slots": 1},
        prompt=prompt,
        on_notice=notices.append,
    )
    with engine, counted_tokens() as counted:
        wide = fit_jpeg(jpeg((1568, 672)), engine.picture_side_px or 1568)
        pictures = [wide] * engine.prompt.most_pictures
        outcome = engine.describe(pictures, 60, note=engine.prompt.note_on(4))
        assert engine.plan is not None
        context = engine.plan.context_per_slot

    assert isinstance(outcome, SceneDescription)
    assert engine.prompt.most_pictures == (1 if family is LLAVA else 4)
    needed = max(counted) + engine.prompt.reply_tokens
    assert needed <= context
    assert needed <= engine.prompt.context_tokens(model.picture.most)
    assert any("Up to 4 pictures a keyframe" in notice for notice in notices)
