"""The options that several commands share."""

from __future__ import annotations

import math
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cinecut.errors import UsageError

if TYPE_CHECKING:
    from cinecut.film.keyframes import KeyframeSettings

_LONGEST_PROMPT_BYTES: Final = 4000


class Scan(str, Enum):
    """How a film is looked through."""

    FULL = "full"
    IFRAMES = "iframes"


class DeviceChoice(str, Enum):
    """Where the model runs."""

    AUTO = "auto"
    GPU = "gpu"
    CPU = "cpu"


class ExportFormat(str, Enum):
    """What is made from the journal."""

    ALL = "all"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    SRT = "srt"
    VTT = "vtt"
    MD = "md"
    HTML = "html"


Films = Annotated[
    list[Path],
    typer.Argument(metavar="FILM", help="The films; - reads a list of them from stdin."),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive", "-r", envvar="CINECUT_RECURSIVE", help="Look for films in folders."
    ),
]
Subtitles = Annotated[
    Path | None,
    typer.Option(
        "--subtitles",
        envvar="CINECUT_SUBTITLES",
        metavar="FILE",
        help="Subtitle file to take dialogue from. [default: one beside the film, or in it]",
        show_default=False,
    ),
]
NoSubtitles = Annotated[
    bool,
    typer.Option("--no-subtitles", envvar="CINECUT_NO_SUBTITLES", help="Use no subtitles."),
]
SubtitleLanguage = Annotated[
    str | None,
    typer.Option(
        "--subtitle-language",
        envvar="CINECUT_SUBTITLE_LANGUAGE",
        metavar="LANG",
        help="Prefer subtitles in this language, such as en or ger.",
    ),
]
ModelsDir = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        envvar="CINECUT_MODELS_DIR",
        metavar="DIR",
        help="Where models are kept. [default: in the user's data folder]",
        show_default=False,
    ),
]
LlamaServer = Annotated[
    str | None,
    typer.Option(
        "--llama-server",
        envvar="CINECUT_LLAMA_SERVER",
        metavar="PATH",
        help="The llama-server. [default: on the PATH, or the package's own]",
        show_default=False,
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        envvar="CINECUT_OUTPUT_DIR",
        metavar="DIR",
        help="Where results folders go. [default: beside each film]",
        show_default=False,
    ),
]
Device = Annotated[
    DeviceChoice, typer.Option("--device", envvar="CINECUT_DEVICE", help="Where the model runs.")
]
Gpu = Annotated[
    str | None,
    typer.Option(
        "--gpu", envvar="CINECUT_GPU", metavar="N|UUID", help="The GPU, as nvidia-smi -L."
    ),
]
SkipVramCheck = Annotated[
    bool,
    typer.Option(
        "--skip-vram-check",
        envvar="CINECUT_SKIP_VRAM_CHECK",
        help="Start even if free GPU memory is short or unknown.",
    ),
]
ScanOption = Annotated[
    Scan,
    typer.Option(
        "--scan",
        envvar="CINECUT_SCAN",
        help="Look at every picture, or only at the stream's key pictures: faster, approximate.",
    ),
]
Interval = Annotated[
    float,
    typer.Option(
        "--interval",
        envvar="CINECUT_INTERVAL",
        metavar="SECONDS",
        help="A frame at least this often.",
    ),
]
SceneThreshold = Annotated[
    float | None,
    typer.Option(
        "--scene-threshold",
        envvar="CINECUT_SCENE_THRESHOLD",
        metavar="SCORE",
        help="FFmpeg scene score that begins a new shot, from 0 to 1. [default: 0.25]",
        show_default=False,
    ),
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        "--max-frames",
        envvar="CINECUT_MAX_FRAMES",
        metavar="N",
        help="At most so many frames, spread over the film.",
    ),
]
KeepDuplicates = Annotated[
    bool,
    typer.Option(
        "--keep-duplicates",
        envvar="CINECUT_KEEP_DUPLICATES",
        help="Keep frames that show nearly the same picture.",
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", envvar="CINECUT_FRESH", help="Begin anew, whatever is there.")
]
Json = Annotated[
    bool,
    typer.Option("--json", envvar="CINECUT_JSON", help="JSON lines on stdout, nothing else."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", envvar="CINECUT_QUIET", help="Only errors, and with --json the data."
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", envvar="CINECUT_VERBOSE", help="Say more.")
]


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
    from cinecut.film.listing import list_films
    from cinecut.jobs import results_folder

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
    folders: dict[Path, Path] = {}
    for film in found:
        other = folders.setdefault(results_folder(film, output_dir).resolve(), film)
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
