"""The demo model, run by the real llama-server, says what is in the picture that was sent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from clips import BIG_BUCK_BUNNY, BIKES
from seeing import COLOURS, jpeg, plain, verdict
from server_process import ServerProgram

from cinecut.demo import MMPROJ_PATH, MODEL_PATH
from cinecut.demo.labels import PICTURE_SIDE_PX
from cinecut.demo.sentences import read
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.chat import ask
from cinecut.inference.question.prompt import Prompt, make_prompt
from cinecut.inference.question.reply import read_reply

pytestmark = pytest.mark.server
SLOTS = 4


def start(llama_server: ServerProgram) -> LlavaEngine:
    return LlavaEngine(
        MODEL_PATH,
        MMPROJ_PATH,
        llama_server=llama_server.path,
        device="cpu",
        slots=SLOTS,
        skip_vram_check=True,
    )


@pytest.fixture(scope="module")
def engine(llama_server: ServerProgram) -> Iterator[LlavaEngine]:
    with start(llama_server) as engine:
        yield engine


def describe(engine: LlavaEngine, picture: bytes) -> dict[str, str]:
    description = engine.describe(picture)
    assert isinstance(description, SceneDescription), description
    return description.model_dump()


def test_the_engine_asks_for_pictures_of_the_size_that_was_trained_on(engine: LlavaEngine) -> None:
    assert engine.picture_side_px == PICTURE_SIDE_PX


@pytest.mark.parametrize("name", COLOURS)
def test_a_frame_of_one_colour_is_called_by_it(engine: LlavaEngine, name: str) -> None:
    said = read(describe(engine, jpeg(plain(COLOURS[name]))))

    assert said is not None
    assert name == said.colour


def test_a_dark_frame_is_called_dark_and_a_bright_one_bright(engine: LlavaEngine) -> None:
    assert "A very dark" in describe(engine, jpeg(plain((9, 10, 12))))["visual_content"]
    assert "A bright" in describe(engine, jpeg(plain((215, 220, 225))))["visual_content"]


def test_it_says_the_same_under_the_names_of_the_fields(
    engine: LlavaEngine,
) -> None:
    """As a user's own instruction asks for them, and the schema of another's server."""
    own = make_prompt("Say what you see.")
    assert engine.server is not None
    for picture in (jpeg(plain(COLOURS[name])) for name in ("red", "grey")):
        said = describe(engine, picture)
        for prompt in (own, Prompt(uses_grammar=False)):
            url = f"{engine.server.base_url}/v1/chat/completions"
            body = prompt.body(picture, seed=1, model=None)
            reply = ask(url, engine.server.api_key, body, 60, read_reply)
            assert isinstance(reply, SceneDescription), reply
            assert reply.model_dump() == said


def test_a_description_belongs_to_its_frame_under_parallel_slots(engine: LlavaEngine) -> None:
    names = [name for name in COLOURS for _ in range(4)]
    random.Random(3).shuffle(names)
    pictures = [jpeg(plain(COLOURS[name])) for name in names]
    with ThreadPoolExecutor(SLOTS) as threads:
        replies = list(threads.map(lambda picture: describe(engine, picture), pictures))
    said = [read(reply) for reply in replies]

    assert names == [one.colour if one else None for one in said]


def test_most_of_what_it_says_of_films_it_never_saw_is_true(engine: LlavaEngine) -> None:
    """A floor under the model card's figures, which are measured on more frames and lights."""
    pictures = [picture for clip in (BIKES, BIG_BUCK_BUNNY) for picture in frames(str(clip))]
    with ThreadPoolExecutor(SLOTS) as threads:
        replies = threads.map(lambda picture: describe(engine, picture), pictures)
        verdicts = [
            verdict(reply, picture) for reply, picture in zip(replies, pictures, strict=True)
        ]
    true = {name: sum(one[name] for one in verdicts) / len(verdicts) for name in verdicts[0]}

    assert len(pictures) >= 60
    assert true["brightness"] >= 0.97, true
    assert true["colour"] >= 0.92, true
    assert min(true.values()) >= 0.88, true
    assert sum(all(one.values()) for one in verdicts) / len(verdicts) >= 0.8


def frames(path: str) -> Iterator[bytes]:
    """Yield some frames of a film, every other one in the colours of another scene."""
    grades = [(1.0, 1.0, 1.0), (0.25, 0.3, 0.5), (1.0, 1.0, 1.0), (0.9, 0.45, 0.15)]
    with av.open(path) as film:
        for index, frame in enumerate(film.decode(video=0)):
            if index % 5 == 0:
                pixels = frame.to_ndarray(format="rgb24") * np.array(grades[index // 5 % 4])
                yield jpeg(pixels.astype(np.uint8))
