"""Turns what was typed into films and settings, and says what cannot be meant."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from cinecut.cli.options import ExportFormat, Scan
from cinecut.errors import UsageError
from cinecut.files import read_file

if TYPE_CHECKING:
    import typer

    from cinecut.film.keyframes import KeyframeSettings

_LONGEST_PROMPT_BYTES: Final = 4000


class OthersServer(TypedDict, total=False):
    """A server that runs already, as `RunSettings` and the doctor's `Machine` take it."""

    server_url: str
    server_model: str | None
    server_prefers: str | None
    api_key: str | None


def server_of_somebody_else(
    context: typer.Context, url: str | None, model: Path | None
) -> OthersServer:
    """Return where the server is, its key, and which of its models; nothing without an address.

    A model that only the environment names may be meant for a llama-server of one's own: it is
    used if the server has it.

    Raises:
        UsageError: The address or the key is none.
    """
    from cinecut.inference.address import checked_key, server_root

    if not url:
        return {}
    source = context.get_parameter_source("model")
    is_typed = source is not None and source.name != "ENVIRONMENT"
    name = str(model) if model else None
    return {
        "server_url": server_root(url),
        "server_model": name if is_typed else None,
        "server_prefers": None if is_typed else name,
        "api_key": checked_key(os.environ.get("CINECUT_API_KEY")),
    }


def keyframe_settings(
    *,
    scan: Scan,
    interval: float,
    scene_threshold: float | None,
    max_frames: int | None,
    keep_duplicates: bool,
    subtitles: Path | None,
    no_subtitles: bool,
    subtitle_language: str | None,
) -> KeyframeSettings:
    """Return the options about keyframes as settings.

    Raises:
        UsageError: They contradict each other, or a value is out of range.
    """
    from cinecut.film.keyframes import SCENE_THRESHOLD, KeyframeSettings

    if subtitles and no_subtitles:
        raise UsageError("--subtitles and --no-subtitles exclude each other.")
    return KeyframeSettings(
        interval_s=interval,
        scene_threshold=SCENE_THRESHOLD if scene_threshold is None else scene_threshold,
        scan=scan.value,
        max_frames=max_frames,
        keep_duplicates=keep_duplicates,
        use_subtitles=not no_subtitles,
        subtitles=subtitles,
        subtitle_language=subtitle_language,
    )


class Listed(NamedTuple):
    """What is to be described."""

    films: list[Path]
    roots: tuple[Path, ...]
    """The folders that were looked through for it."""


def listed_films(
    films: list[Path], *, recursive: bool, output_dir: Path | None, subtitles: Path | None
) -> Listed:
    """Return the films that were named: one by one, in folders, or a line each on stdin.

    Raises:
        UsageError: There is none; two of them would share a results folder; or one subtitle file
            was named for several.
    """
    from cinecut.film.listing import list_films, where
    from cinecut.run.jobs import results_folder

    named: list[Path] = []
    for film in films:
        lines = _lines_of_stdin() if str(film) == "-" else [str(film)]
        named += [Path(line) for line in lines if line.strip()]
    found = list(list_films(named, recursive=recursive))
    if not found:
        raise UsageError(
            "No film was named, and none was found.",
            tip="Name a film, or a folder of films: cinecut describe --recursive FOLDER",
        )
    if subtitles and len(found) > 1:
        raise UsageError(f"--subtitles names one file for {len(found)} films.")
    roots = tuple(path for path in named if path.is_dir()) if recursive else ()
    folders: dict[tuple[Path, str], Path] = {}
    for film in found:
        other = folders.setdefault(where(results_folder(film, output_dir, roots)), film)
        if other is not film:
            raise UsageError(
                f"{other} and {film} would share a results folder.",
                tip="Look through the folder above both, whose folders --output-dir then gets too: "
                "cinecut describe --recursive FOLDER",
            )
    return Listed(found, roots)


def _lines_of_stdin() -> list[str]:
    """Return the lines; unlike `splitlines`, a name may have a form feed in it."""
    return [line.removesuffix("\r") for line in sys.stdin.read().split("\n")]


def checked_seconds(option: str, seconds: float) -> float:
    """Return `seconds` if they are a length of time.

    Raises:
        UsageError: They are not.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{option} {seconds:g}: a number of seconds above 0.")
    return seconds


def read_prompt(path: Path) -> str:
    """Return the user's own instruction.

    Raises:
        UsageError: The file cannot be read, is empty, or is too long for a slot.
    """
    try:
        text = read_file(path, _LONGEST_PROMPT_BYTES).decode().strip()
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--prompt-file {path.name} cannot be read as text: {reason}") from error
    if not text:
        raise UsageError(f"--prompt-file {path.name} is empty.")
    return text


def parse_parallel(text: str) -> int | None:
    """Return the number of slots, or None for `auto`.

    Raises:
        UsageError: It is neither.
    """
    if text == "auto":
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 256:
        return int(text)
    raise UsageError(f"--parallel {text}: a number from 1 to 256, or auto.")


def chosen_formats(formats: list[ExportFormat] | None) -> tuple[str, ...]:
    """Return the names of the exports asked for, each once; `all` is one of them."""
    return tuple(dict.fromkeys(choice.value for choice in formats or ()))
