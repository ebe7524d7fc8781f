"""Errors say what failed, the cause, what to check and what to do next, and nothing private."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from cinecut import errors
from cinecut.errors import (
    CineCutError,
    ClusterError,
    DownloadError,
    FilmError,
    InferenceError,
    MachineError,
    ModelError,
    OutputError,
    SearchIndexError,
    ServerNotFoundError,
    SubtitlesError,
    UsageError,
    VramError,
    WriteError,
)
from cinecut.text import printable, without_home

EXAMPLES = [
    FilmError(Path("x.mkv"), "It is empty."),
    SubtitlesError(Path("x.srt"), "It is empty."),
    ModelError(Path("x.gguf"), "It is empty."),
    OutputError(Path("results"), "No space left on device"),
    WriteError(Path("clip.mkv"), "No space left on device"),
    SearchIndexError(Path("search.sqlite"), "No space left on device"),
    DownloadError(Path("model.gguf"), "The connection broke."),
    ServerNotFoundError(),
    ServerNotFoundError("./server"),
    UsageError("--parallel none: a number, or auto."),
    InferenceError("It died."),
    VramError("500 MiB free."),
    ClusterError("Nobody answers."),
    MachineError("No more threads or processes may be started."),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_tells_four_things(error: CineCutError) -> None:
    failed, cause, check, tip = str(error).splitlines()

    assert failed == error.failed
    assert cause == f"  Cause: {error.cause}"
    assert check == f"  Check: {error.check}"
    assert tip == f"  Tip: {error.tip}"
    assert all((error.failed, error.cause, error.check, error.tip))


def test_every_error_has_an_example_and_stands_in_the_tree() -> None:
    assert errors.__doc__
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, CineCutError) and not name.startswith("_"):
            assert name in errors.__doc__
            is_base = kind is CineCutError
            assert is_base or any(type(error) is kind for error in EXAMPLES), name


def test_facts_are_kept() -> None:
    assert InferenceError("It died.").detail == "It died."
    assert VramError("500 MiB free.").detail == "500 MiB free."
    assert FilmError("a/x.mkv", "It is empty.").path == Path("a/x.mkv")
    assert str(InferenceError("x")).startswith("LLaVA inference engine error.")
    assert str(VramError("x")).startswith("Insufficient VRAM for LLaVA inference.")
    assert str(FilmError("a/x.mkv", "x")).startswith("Failed to read film 'x.mkv'.")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_travels_between_processes(error: CineCutError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_no_message_holds_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/homes/ada"))

    assert "/homes/ada" not in str(InferenceError("/homes/ada/m.gguf is damaged."))
    assert without_home("in '/homes/ada', /homes/ada/x and /homes/adam") == (
        "in '~', ~/x and /homes/adam"
    )


def test_no_message_holds_what_a_terminal_would_obey() -> None:
    message = str(FilmError("\x1b[2J\x07[bold]\u202e.mkv", "line\x9b one\nline\r two"))

    assert not any(char in message for char in "\x1b\x07\x9b\r\u202e")
    assert "[bold]" in message


def test_honest_text_stays_as_it_is() -> None:
    for text in ("Ünïcödé", "日本語", "שלום\u200f", "👩\u200d🚀", "नमस्ते", "a <b> & [c]"):
        assert printable(text) == text
    assert printable("two\nlines\tand\u2028more") == "two lines and more"
    assert printable("lone \udcff surrogate") == "lone \ufffd surrogate"


def test_an_error_from_elsewhere_tells_where() -> None:
    error = FilmError(Path("x.mkv"), "It is empty.")

    told = pickle.loads(pickle.dumps(error.on("gpu-7:4711")))

    assert type(told) is FilmError
    assert "\n  Cause: On gpu-7:4711: It is empty.\n" in str(told)
    assert "gpu-7" not in str(error)
