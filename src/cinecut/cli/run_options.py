"""The options of a run as describe words them: what is asked, of which model, how and where."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cinecut.cli.options import ExportFormat, model_names


class DecodeChoice(str, Enum):
    """What decodes films."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    VAAPI = "vaapi"
    VIDEOTOOLBOX = "videotoolbox"


Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        envvar="CINECUT_MODEL",
        metavar="NAME|FILE",
        autocompletion=model_names,
        help="The model: a name from cinecut models list, or a GGUF file.",
    ),
]

Mmproj = Annotated[
    Path | None,
    typer.Option(
        "--mmproj",
        envvar="CINECUT_MMPROJ",
        metavar="FILE",
        help="The mmproj that belongs to it.",
    ),
]

ServerUrl = Annotated[
    str | None,
    typer.Option(
        "--server-url",
        envvar="CINECUT_SERVER_URL",
        metavar="URL",
        help="A server that runs already, OpenAI-compatible and with vision; its key is "
        "taken from CINECUT_API_KEY.",
    ),
]

PromptFile = Annotated[
    Path | None,
    typer.Option(
        "--prompt-file",
        envvar="CINECUT_PROMPT_FILE",
        metavar="FILE",
        help="Ask with these words instead.",
    ),
]

Language = Annotated[
    str,
    typer.Option(
        "--language", envvar="CINECUT_LANGUAGE", metavar="LANG", help="Language of descriptions."
    ),
]

Think = Annotated[
    bool,
    typer.Option(
        "--think", envvar="CINECUT_THINK", help="Let a model that can think before it answers."
    ),
]

Text = Annotated[
    bool,
    typer.Option(
        "--text",
        envvar="CINECUT_TEXT",
        help="Also ask what can be read in the picture: the words on the screen.",
    ),
]

WithDialogue = Annotated[
    bool,
    typer.Option(
        "--with-dialogue",
        envvar="CINECUT_WITH_DIALOGUE",
        help="Tell the model what the subtitles say at each frame's moment.",
    ),
]

Summary = Annotated[
    bool,
    typer.Option(
        "--summary",
        envvar="CINECUT_SUMMARY",
        help="Also have chapters, a synopsis and recurring elements told of each film.",
    ),
]

Moments = Annotated[
    int,
    typer.Option(
        "--moments",
        envvar="CINECUT_MOMENTS",
        metavar="N",
        min=1,
        max=4,
        help="Show the model so many pictures of each shot, that it may say what moves.",
    ),
]

Formats = Annotated[
    list[ExportFormat] | None,
    typer.Option("--format", envvar="CINECUT_FORMAT", help="Also write this format; repeatable."),
]

Parallel = Annotated[
    str,
    typer.Option(
        "--parallel",
        envvar="CINECUT_PARALLEL",
        metavar="auto|N",
        help="Pictures described at once.",
    ),
]

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        envvar="CINECUT_CLUSTER",
        metavar="auto|local|ADDRESS",
        help="Describe many films at once on a Ray cluster: the one that this machine belongs "
        "to, one of this machine alone, or the one at HOST:PORT.",
    ),
]

WorkerCpus = Annotated[
    int | None,
    typer.Option(
        "--worker-cpus",
        envvar="CINECUT_WORKER_CPUS",
        metavar="N",
        min=1,
        help="CPUs for each worker of a cluster that has no GPU. [default: 4]",
        show_default=False,
    ),
]

Decode = Annotated[
    DecodeChoice,
    typer.Option(
        "--decode",
        envvar="CINECUT_DECODE",
        help="What decodes films; auto takes a GPU that can, and memory that the model leaves.",
    ),
]

Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        envvar="CINECUT_TIMEOUT",
        metavar="SECONDS",
        help="Longest time for one frame. [default: 60, on a CPU 600]",
        show_default=False,
    ),
]

LoadTimeout = Annotated[
    float,
    typer.Option(
        "--load-timeout",
        envvar="CINECUT_LOAD_TIMEOUT",
        metavar="SECONDS",
        help="Longest silence of a loading llama-server.",
    ),
]

NoProof = Annotated[
    bool,
    typer.Option(
        "--no-proof",
        envvar="CINECUT_NO_PROOF",
        help="Do not show the model a known picture first, which tells of one that writes "
        "nonsense.",
    ),
]

Strict = Annotated[
    bool,
    typer.Option("--strict", envvar="CINECUT_STRICT", help="Exit with 3 if a frame was skipped."),
]
