"""Under every fault: no process, no lock, no lost scene; and the user hears the real reason.

This is the short round, each fault once; `scripts/soak` runs each of them, and more of their kinds,
many times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import leftovers
import pytest
from faults.catalogue import FAULTS
from faults.running import Bench
from faults.trial import Verdict, try_fault

_AT_ONCE = (os.cpu_count() or 1) + 3  # most of a trial is waiting


@pytest.fixture(scope="module", autouse=True)
def _no_process_is_left(_every_process_is_marked: None) -> Iterator[None]:
    """As everywhere, but once at the end: while one trial ends the others are under way."""
    with leftovers.none_allowed():
        yield


@pytest.fixture(scope="module")
def verdicts(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Verdict]]]:
    """All the trials that were selected, under way at the same time."""
    folder = tmp_path_factory.mktemp("faults")
    selected = {
        item.callspec.params["name"]
        for item in request.session.items
        if item.module is request.module
    }
    bench = Bench(folder / "bench", is_short=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # The long ones first: they wait while the others work.
        faults = sorted(FAULTS, key=lambda fault: fault.name not in _LONG)
        yield {
            fault.name: pool.submit(try_fault, bench, fault, folder / str(number), seed="short")
            for number, fault in enumerate(faults)
            if fault.name in selected
        }


_LONG = {"nvidia-smi: hangs"}


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if not fault.is_for_soak])
def test_fault(name: str, verdicts: dict[str, Future[Verdict]]) -> None:
    assert not verdicts[name].result().problems
