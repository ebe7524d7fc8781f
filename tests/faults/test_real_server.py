"""What the real llama-server can show of all this, it does: killed, hung, interrupted, orphaned."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from clips import BIKES
from faults.running import Run
from server_process import ServerProgram
from tiny_llava import TinyModel

pytestmark = pytest.mark.server

SLOTS = 4
A_KILL_COSTS_AT_MOST = 3.0
"""Times an undisturbed run: a second start and the frames under way."""
_MANY_KEYFRAMES = ("--interval", "0.4", "--keep-duplicates", "--parallel", str(SLOTS))


class RealBench:
    """A real server, a real film, and the scenes of a run that nothing disturbed."""

    def __init__(self, folder: Path, server: ServerProgram, model: TinyModel) -> None:
        self.folder, self.server, self.model = folder, server, model
        began_s = time.monotonic()
        with self.start("undisturbed") as run:
            assert run.wait() == 0, run.stderr
            assert run.left() == []
        self.undisturbed_s = time.monotonic() - began_s
        self.scenes = run.journal.scenes

    def start(self, name: str, *options: str, in_terminal: bool = False) -> Run:
        return Run(
            self.model,
            self.folder / name,
            BIKES,
            *_MANY_KEYFRAMES,
            *options,
            llama_server=self.server.path,
            environment=self.server.environment,
            in_terminal=in_terminal,
        )


@pytest.fixture(scope="module")
def bench(
    llama_server: ServerProgram, tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory
) -> RealBench:
    bench = RealBench(tmp_path_factory.mktemp("real"), llama_server, tiny_model)
    assert len(bench.scenes) >= 12
    return bench


def until_scenes(run: Run, count: int) -> None:
    run.until(lambda: len(run.journal.scenes) >= count, f"scene {count}")


def assert_whole(bench: RealBench, run: Run) -> None:
    """Every keyframe has its description, once; words may differ, for slots share batches."""
    journal = run.journal
    assert journal.problems == []
    assert journal.is_finished
    assert journal.skipped == {}
    assert {index: scene["keyframe"] for index, scene in journal.scenes.items()} == {
        index: scene["keyframe"] for index, scene in bench.scenes.items()
    }
    assert all(scene["description"] for scene in journal.scenes.values())


def resume(bench: RealBench, name: str) -> None:
    with bench.start(name) as again:
        assert again.wait() == 0, again.stderr
        assert_whole(bench, again)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_death_of_the_server_costs_seconds_and_no_frame(bench: RealBench, number: int) -> None:
    began_s = time.monotonic()
    with bench.start(f"dies-{number}") as run:
        until_scenes(run, len(bench.scenes) // 2)
        run.signal_server(number)

        assert run.wait() == 0, run.stderr
        took_s = time.monotonic() - began_s
        # After SIGSEGV it first traces its own stack, and may be taken for one that hangs.
        assert "starting it anew" in run.stderr
        assert run.left() == []
        assert_whole(bench, run)
        asked = run.log.count(b"processing task")
    known = 1  # the picture that is shown first
    assert asked <= known + len(bench.scenes) + SLOTS, (
        "only what was under way is asked about again"
    )
    assert took_s < A_KILL_COSTS_AT_MOST * bench.undisturbed_s


def test_a_server_that_hangs_costs_no_frame(bench: RealBench) -> None:
    with bench.start("hangs", "--timeout", "5") as run:
        until_scenes(run, 3)
        run.signal_server(signal.SIGSTOP)

        assert run.wait() == 0, run.stderr
        assert "hangs: starting it anew" in run.stderr
        assert run.left() == []
        assert_whole(bench, run)


@pytest.mark.parametrize("when", ["loading", "describing"])
def test_sigkill_of_cinecut_takes_the_server_with_it(bench: RealBench, when: str) -> None:
    with bench.start(f"killed-{when}") as run:
        if when == "loading":
            run.until(lambda: run.servers, "the server")
        else:
            until_scenes(run, 3)
        run.signal(signal.SIGKILL)

        assert run.wait() == -signal.SIGKILL
        assert run.left() == []
    resume(bench, f"killed-{when}")


def test_ctrl_c_in_a_terminal_ends_in_order_and_the_run_goes_on_later(bench: RealBench) -> None:
    with bench.start("ctrl-c", in_terminal=True) as run:
        until_scenes(run, 3)
        assert run.terminal is not None
        run.terminal.press(b"\x03")

        assert run.wait() == 130
        assert run.left() == []
        assert "Interrupted. The same command again goes on from here." in run.stderr
        done = run.journal.scenes
        assert len(done) < len(bench.scenes)
    with bench.start("ctrl-c") as again:
        assert again.wait() == 0, again.stderr
        assert_whole(bench, again)
        # Which part of the film a scene is in is known when all of it is.
        later = {index: {**again.journal.scenes[index]} for index in done}
        assert all(isinstance(scene.pop("part"), int) for scene in later.values())
        assert later == done
