"""Makes llama-server children of the mock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.inference.server.child import LlamaServer


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for servers that never end by themselves."""
    monkeypatch.setattr("cinecut.inference.server.child._GRACE_S", 0.5)


@pytest.fixture
def new_server(
    mock_server: ServerProgram, tiny_model: TinyModel, tmp_path: Path
) -> Iterator[Callable[..., LlamaServer]]:
    """Make servers of the mock's; what is left of them ends with the test."""
    made = []

    def new(fault: str = "", *, program: Path | None = None, **more: object) -> LlamaServer:
        environment: Mapping[str, str] = {
            **os.environ,
            "CINECUT_MOCK_FAULT": fault,
            **more.pop("environment", {}),
        }
        command = [str(program or mock_server.path), "-m", str(tiny_model.model)]
        server = LlamaServer(
            [*command, "--mmproj", str(tiny_model.mmproj)],
            environment,
            tmp_path / "server.log",
            model_path=tiny_model.model,
            **more,
        )
        made.append(server)
        return server

    yield new
    for server in made:
        server.stop()
