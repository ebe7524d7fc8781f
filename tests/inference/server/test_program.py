"""Which program is run when one is named: the one that the user's shell would run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinecut.errors import ServerNotFoundError
from cinecut.inference.server.program import find_llama_server


def make_program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\necho version: 1\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with another llama-server on the PATH."""
    make_program(tmp_path / "bin" / "llama-server")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = tmp_path / "build"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_program_in_this_folder_is_found_by_its_dot(here: Path) -> None:
    program = make_program(here / "llama-server")

    assert find_llama_server("./llama-server").path == str(program)


def test_a_relative_path_leads_from_this_folder(here: Path) -> None:
    program = make_program(here / "inner" / "llama-server")

    assert find_llama_server("inner/llama-server").path == str(program)
    assert find_llama_server(Path("inner/../inner/llama-server")).path == str(program)


def test_a_tilde_is_home(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    program = make_program(here / "llama-server")

    assert find_llama_server("~/llama-server").path == str(program)


def test_a_name_alone_is_looked_for_on_the_path(here: Path) -> None:
    make_program(here / "llama-server")

    assert find_llama_server("llama-server").path == str(here.parent / "bin" / "llama-server")


@pytest.mark.usefixtures("here")
def test_what_is_not_in_this_folder_is_not_taken_from_the_path() -> None:
    with pytest.raises(ServerNotFoundError):
        find_llama_server("./llama-server")
