"""Knows which formats hits are handed on in, and writes them to where the user wants them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cinecut.errors import CineCutError, UsageError, WriteError
from cinecut.excerpts.clips import Clip, clips_of
from cinecut.excerpts.edl import rate_text, to_edl
from cinecut.excerpts.films import with_films
from cinecut.excerpts.otio import to_otio
from cinecut.excerpts.playlist import to_m3u
from cinecut.excerpts.spans import excerpts_of
from cinecut.excerpts.table import COLUMNS, to_csv
from cinecut.files import refuse_other, replacing
from cinecut.search import Hit

_MARKS: Final = {
    "edl": (b"title:", b"\nfcm:"),
    "otio": (b'"otio_schema"',),
    "m3u": (b"#extm3u",),
    "csv": (",".join(f'"{name}"' for name in COLUMNS[:4]).encode(),),
}
"""What the begin of a file of each format has in it."""

FORMATS: Final = tuple(_MARKS)


def check_format(name: str) -> None:
    """Make sure that there is such a format, and that what writes it is installed.

    Raises:
        UsageError: There is not.
    """
    if name not in FORMATS:
        raise UsageError(f"'{name}' is no format.", tip=f"The formats are {', '.join(FORMATS)}.")
    if name == "otio" and importlib.util.find_spec("opentimelineio") is None:
        raise UsageError(
            "OpenTimelineIO is not installed, which writes this format.",
            tip="pip install 'cinecut[otio]', or choose another one: --export edl",
        )


def render(
    name: str,
    hits: Sequence[Hit],
    title: str,
    on_notice: Callable[[str], None],
    on_error: Callable[[CineCutError], None],
) -> str | None:
    """Return `hits` in a format, in their order; None where not one of several could be told of.

    Args:
        name: One of `FORMATS`.
        hits: What was found.
        title: What the whole is called.
        on_notice: Takes a sentence that the user should read.
        on_error: Takes why the hits of a film were left out, once a film.
    """
    excerpts = list(excerpts_of(hits, on_error))
    if name == "csv":
        return to_csv(excerpts) if excerpts or not hits else None
    if name == "m3u":
        found = list(with_films(excerpts, on_error))
        return to_m3u(found, title) if found or not hits else None
    clips = list(clips_of(excerpts, on_error))
    if hits and not clips:
        return None
    _tell_of_odd_rates(clips, on_notice)
    return to_otio(clips, title) if name == "otio" else to_edl(clips, title, on_notice)


def write(path: Path, name: str, text: str) -> None:
    """Write `text` to `path`, whole or not at all; only a file of the same format is replaced.

    Raises:
        WriteError: It cannot be written.
    """
    try:
        refuse_other(path, _MARKS[name], f"{name.upper()} file")
        with replacing(path) as file:
            file.write(text.encode("utf-8", errors="backslashreplace"))
    except (OSError, ValueError) as error:  # a null character in the name
        raise WriteError(
            path,
            getattr(error, "strerror", None) or str(error),
            check="What the path names, whether its folder is there, and where a link leads.",
            tip="Have it elsewhere: --output FILE, or on stdout without it.",
        ) from error


def _tell_of_odd_rates(clips: Sequence[Clip], on_notice: Callable[[str], None]) -> None:
    for film, counting in {clip.film: clip.counting for clip in clips}.items():
        if not counting.is_exact:
            on_notice(
                f"{film.name}: its frame rate is variable, or none that timecodes know; they count "
                f"{rate_text(counting.rate)} a second."
            )
