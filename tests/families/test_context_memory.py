"""What a slot's context costs is what llama-server's log tells, whatever its layers keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from server_process import ServerProcess, ServerProgram

from cinecut.inference.model.vision_model import read_vision_model
from families import GEMMA3, GEMMA_4, LFM2_VL, QWEN3_5, QWEN3_VL
from families.family import Family

pytestmark = pytest.mark.server

_SLOTS, _CONTEXT, _BATCH = 2, 2048, 512


@pytest.mark.parametrize(
    "family", [QWEN3_5, LFM2_VL, GEMMA_4, GEMMA3, QWEN3_VL], ids=lambda family: family.name
)
def test_estimate_is_what_the_server_tells(
    family: Family, llama_server: ServerProgram, tmp_path: Path
) -> None:
    """Recurrent layers and convolutions, near layers and far ones, and a plain model."""
    pair = family.write(tmp_path)
    log_flags = llama_server.known("--log-verbosity=4", "--no-kv-unified")
    with ServerProcess(
        llama_server,
        *("-m", pair.model, "--mmproj", pair.mmproj, "-np", str(_SLOTS)),
        *("-c", str(_SLOTS * _CONTEXT), "-ub", str(_BATCH), *log_flags),
        log_path=tmp_path / "log",
    ) as server:
        assert server.url
        told = re.findall(r"(?:KV|RS) buffer size = *([\d.]+) MiB", server.log)

    estimate = read_vision_model(pair.model, pair.mmproj).slot_mib(_CONTEXT, _BATCH)
    assert told
    assert estimate is not None
    assert _SLOTS * estimate == pytest.approx(sum(map(float, told)), abs=0.02 * len(told))
