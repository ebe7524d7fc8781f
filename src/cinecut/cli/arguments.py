"""Turns what was typed into films and settings, and says what cannot be meant."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cinecut.cli.options import ExportFormat, Scan
from cinecut.errors import UsageError

if TYPE_CHECKING:
    from cinecut.film.keyframes import KeyframeSettings

_LONGEST_PROMPT_BYTES: Final = 4000


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
    from cinecut.film.keyframes import KeyframeSettings

    if subtitles and no_subtitles:
        raise UsageError("--subtitles and --no-subtitles exclude each other.")
    threshold = {} if scene_threshold is None else {"scene_threshold": scene_threshold}
    return KeyframeSettings(
        interval_s=interval,
        scan=scan.value,
        max_frames=max_frames,
        keep_duplicates=keep_duplicates,
        use_subtitles=not no_subtitles,
        subtitles=subtitles,
        subtitle_language=subtitle_language,
        **threshold,
    )


def listed_films(
    films: list[Path], *, recursive: bool, output_dir: Path | None, subtitles: Path | None
) -> list[Path]:
    """Return the films that were named: one by one, in folders, or a line each on stdin.

    Raises:
        UsageError: There is none; two of them would share a results folder; or one subtitle file
            was named for several.
    """
    from cinecut.film.listing import list_films, where
    from cinecut.run.jobs import results_folder

    named: list[Path] = []
    for film in films:
        lines = sys.stdin.read().splitlines() if str(film) == "-" else [str(film)]
        named += [Path(line) for line in lines if line.strip()]
    found = list(list_films(named, recursive=recursive))
    if not found:
        raise UsageError(
            "No film was named, and none was found.",
            tip="Name a film, or a folder of films: cinecut describe --recursive FOLDER",
        )
    if subtitles and len(found) > 1:
        raise UsageError(f"--subtitles names one file for {len(found)} films.")
    folders: dict[tuple[Path, str], Path] = {}
    for film in found:
        other = folders.setdefault(where(results_folder(film, output_dir)), film)
        if other is not film:
            raise UsageError(
                f"{other} and {film} would share a results folder.",
                tip="Leave out --output-dir, or describe them apart, each into its own.",
            )
    return found


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
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompt-file {path.name} cannot be read as text: {error}") from error
    if not 0 < len(text.encode()) <= _LONGEST_PROMPT_BYTES:
        raise UsageError(
            f"--prompt-file {path.name}: between 1 and {_LONGEST_PROMPT_BYTES} bytes of text."
        )
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
    """Return the names of the exports asked for, each once."""
    names = dict.fromkeys(choice.value for choice in formats or ())
    if ExportFormat.ALL.value in names:
        names = dict.fromkeys(choice.value for choice in ExportFormat)
        del names[ExportFormat.ALL.value]
    return tuple(names)
