"""A disk that sleeps is waited for, and one that does not answer is no damaged film."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from films import Look, make_film, still

from cinecut.film.reading import opening

SCALE = 20
SPIN_UP_S = 20 / SCALE
LIMIT_S = opening.STALL_S / SCALE
# Limit and film as its arguments, then those of the command.
CINECUT = """
import sys
from cinecut.film.reading import opening
opening.STALL_S = float(sys.argv.pop(1))
from cinecut.cli import main
main()
"""
FRAMES = 40

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film of which FFmpeg reads each frame in two pieces: between them it looks at the limit."""
    look = Look(codec="rawvideo", size=(640, 360), options={})
    return make_film(tmp_path / "film.mkv", [*still(1, FRAMES // 2), *still(2, FRAMES // 2)], look)


@pytest.fixture
def run(film: Path, tmp_path: Path) -> Run:
    """Run a command on a film two of whose reads take so long, in its middle."""
    if shutil.which("strace") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("strace is not installed")

    def run_with(
        delay_s: float, *arguments: str | Path, limit_s: float = LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        inject = f"inject=read:delay_exit={delay_s * 1_000_000:.0f}:when=50..51"
        strace = ("strace", "-f", "-q", "-o", tmp_path / "trace", "-P", film)
        return subprocess.run(
            [
                *(*strace, "-e", "trace=read", "-e", inject),
                *(sys.executable, "-c", CINECUT, str(limit_s), *arguments),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_with


def test_a_disk_that_spins_up_for_twenty_seconds_costs_nothing(run: Run, film: Path) -> None:
    done = run(SPIN_UP_S, "keyframes", film, "--json")

    assert done.returncode == 0, done.stderr
    assert "(DELAYED)" in (film.parent / "trace").read_text()
    times = [json.loads(line)["timestamp_s"] for line in done.stdout.splitlines()]
    assert len(times) == 2
    assert times[1] > FRAMES / 2 / 25
    assert "damaged" not in done.stderr


def test_one_that_does_not_answer_is_told_and_no_damaged_film(run: Run, film: Path) -> None:
    done = run(1.0, "keyframes", film, limit_s=0.3)

    assert done.returncode == 1, done.stderr
    assert "Reading it took longer" in done.stderr
    assert "Traceback" not in done.stderr
