"""Settings that cannot be meant, and a machine at its end: one message each, and no traceback."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import command
import pytest
import typer
from clips import BIKES

from cinecut.cli.boundary import FAILED, exit_codes


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["describe", "film.mp4", "--mmproj", "x" * 5000], {}),
        (["describe", "film.mp4", "--model", "x" * 300], {}),
        (["describe", "film.mp4", "--model", "loop"], {}),
        (["describe", "film.mp4", f"--cluster=127.0.0.1:{'9' * 400}"], {}),
        (["describe", "film.mp4"], {"CINECUT_PARALLEL": "\uff11"}),
        (["keyframes", "film.mp4", "--output-dir", "loop"], {}),
        (["keyframes", "film.mp4"], {"CINECUT_MAX_FRAMES": "nan"}),
        (["export", "film.mp4"], {"CINECUT_INDEX": "\udcff"}),
    ],
)
def test_an_odd_setting_is_one_message(
    arguments: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    """Some of what `scripts/fuzz_settings` tries."""
    shutil.copy(BIKES, tmp_path / "film.mp4")
    (tmp_path / "loop").symlink_to("loop")
    named = {"CINECUT_MODEL": "film.mp4", "CINECUT_MMPROJ": "film.mp4", **variables}
    done = command.run(*arguments, cwd=tmp_path, **named)

    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Failed to ") + done.stderr.count("Usage: ") == 1


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        MemoryError(),
        *(OSError(n, os.strerror(n)) for n in (errno.EAGAIN, errno.EMFILE, errno.ENOSPC)),
    ],
    ids=repr,
)
def test_a_machine_at_its_end_is_one_message(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, exit_codes():
        raise error

    assert ended.value.exit_code == FAILED
    said = capsys.readouterr().err
    assert said.count("Failed to ") == said.count("Cause: ") == said.count("Tip: ") == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(errno.EBADF, "a bug")], ids=repr)
def test_a_bug_is_no_fault_of_the_machine(error: Exception) -> None:
    with pytest.raises(type(error)) as seen, exit_codes():
        raise error

    assert seen.value is error
