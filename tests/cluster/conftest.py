"""What the tests of a cluster share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_run import ClusterRun, kill_all, processes_below
from server_process import ServerProgram
from tiny_llava import TinyModel


@pytest.fixture
def environment(mock_server: ServerProgram, tiny_model: TinyModel) -> dict[str, str]:
    """The mock server and a model, for commands with and without a cluster alike."""
    return {
        "CINECUT_LLAMA_SERVER": str(mock_server.path),
        "CINECUT_MODEL": str(tiny_model.model),
        "CINECUT_MMPROJ": str(tiny_model.mmproj),
        "CINECUT_DEVICE": "cpu",
        "CINECUT_PARALLEL": "1",
    }


@pytest.fixture
def cluster_runs() -> Iterator[list[ClusterRun]]:
    """What is in this list is ended after the test, whatever happened."""
    runs: list[ClusterRun] = []
    yield runs
    for run in runs:
        if run.process.poll() is None:
            kill_all(processes_below(run.process.pid))
            run.process.wait()
