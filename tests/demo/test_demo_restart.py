"""What the demo model says of a picture does not depend on the server that ran it."""

from __future__ import annotations

import pytest
from seeing import COLOURS, jpeg, plain
from server_process import ServerProgram

from cinecut.demo import MMPROJ_PATH, MODEL_PATH
from cinecut.inference.engine import LlavaEngine


@pytest.mark.server
def test_the_next_server_says_the_same_of_the_same_frames(llama_server: ServerProgram) -> None:
    pictures = [jpeg(plain(colour)) for colour in COLOURS.values()]
    said = []
    for _ in range(2):
        engine = LlavaEngine(
            MODEL_PATH,
            MMPROJ_PATH,
            llama_server=llama_server.path,
            device="cpu",
            slots=1,
            skip_vram_check=True,
        )
        with engine:
            said.append([engine.describe(picture) for picture in pictures])

    assert said[0] == said[1]
    assert len(COLOURS) == len({str(one) for one in said[0]})
