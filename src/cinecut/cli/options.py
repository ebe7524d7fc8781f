"""The options that several commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Scan(str, Enum):
    """How a film is looked through."""

    FULL = "full"
    IFRAMES = "iframes"


class Source(str, Enum):
    """What a frame was chosen for."""

    SUBTITLE_MIDPOINT = "subtitle_midpoint"
    SCENE_CHANGE = "scene_change"
    INTERVAL_FALLBACK = "interval_fallback"


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
    AD = "ad"
    CHAPTERS = "chapters"
    FFMETADATA = "ffmetadata"
    MKVCHAPTERS = "mkvchapters"
    NFO = "nfo"


class HitFormat(str, Enum):
    """What hits are handed on as."""

    EDL = "edl"
    OTIO = "otio"
    M3U = "m3u"
    CSV = "csv"


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


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of models that begin like this; where none does, a shell offers files."""
    from cinecut.model_store.search import known_models

    models = known_models(context.params.get("models_dir"))
    return [model.name for model in models if model.name.startswith(incomplete)]


def catalogue_names(incomplete: str) -> list[str]:
    """Return the names of models to have that begin like this."""
    from cinecut.model_store.catalogue import CATALOGUE

    return [entry.name for entry in CATALOGUE if entry.name.startswith(incomplete)]


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
        help="Keep frames that show nearly the same picture, and ask about each of those that "
        "look the same.",
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", envvar="CINECUT_FRESH", help="Begin anew, whatever is there.")
]
SearchIndex = Annotated[
    Path | None,
    typer.Option(
        "--index",
        envvar="CINECUT_SEARCH_INDEX",
        metavar="FILE",
        help="The index. [default: in the user's cache folder]",
        show_default=False,
    ),
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
