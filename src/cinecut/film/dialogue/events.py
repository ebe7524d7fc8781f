"""Reads subtitle files and tells the lines that are dialogue, whatever their encoding."""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pysubs2
from charset_normalizer import from_bytes
from pysubs2.exceptions import Pysubs2Error

from cinecut.errors import SubtitlesError
from cinecut.files import SpecialFileError, read_file
from cinecut.film.dialogue.cues import whole_cues
from cinecut.film.reading.lines import Line
from cinecut.text import plain

_BYTES_MAX = 32 * 2**20
# Nobody says more in a line; what is longer is no subtitle.
_LONGEST_CHARS = 500
_BY_SUFFIX = {
    **{".srt": "srt", ".ass": "ass", ".ssa": "ssa", ".vtt": "vtt", ".smi": "sami"},
    **{".sami": "sami", ".ttml": "ttml", ".dfxp": "ttml"},
}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# Karaoke times, a fixed place on the screen, a moving or drawn sign: not speech.
_KARAOKE = re.compile(r"\\[kK][fo]?\d")
_PLACED = re.compile(r"\\(pos|move|clip|iclip|org)\s*\(")
_EFFECTS = re.compile(r"karaoke|\bfx\b|scroll|banner", re.IGNORECASE)
_PICTURES = {b"\x00\x00\x01\xba": "VobSub", b"# VobSub": "VobSub", b"PG": "PGS"}
# SAMI tells when a line comes, and the next one when it goes; nobody reads one for longer.
_SAMI_LONGEST_MS = 10_000
_STYLE = re.compile(r"^Style:.*$", re.MULTILINE)


def read_dialogue(path: Path, frame_rate: Fraction | None) -> tuple[list[Line], int]:
    """Return the lines of dialogue in a subtitle file, and the number of broken events.

    `frame_rate` is the film's, for formats that count frames and do not tell their own.

    Raises:
        SubtitlesError: The file cannot be read, or is no subtitle text in a known encoding.
    """
    text = _decoded(path)
    form = _format(path, text)
    clean, broken = whole_cues(_STYLE.sub("", text), form)
    events, unparsed = _parsed(path, clean, form, frame_rate)
    if not events:
        raise SubtitlesError(path, "There is not one subtitle line in it that can be read.")
    untimed = sum(1 for event in events if not 0 <= event.start < event.end)
    return dialogue(events), broken + unparsed + untimed


def dialogue(events: Iterable[pysubs2.SSAEvent]) -> list[Line]:
    """Return the lines that are spoken: no comments, drawings, signs or karaoke."""
    spoken = [event for event in events if is_spoken(event)]
    # Some files place every line; then the place says nothing about speech.
    unplaced = [event for event in spoken if not is_placed(event)]
    lines = map(line_of, unplaced or spoken)
    return sorted(line for line in lines if line is not None)


def line_of(event: pysubs2.SSAEvent) -> Line | None:
    """Return when `event` is shown and what it says, or None for one without any time."""
    start, end = Fraction(round(event.start), 1000), Fraction(round(event.end), 1000)
    text = plain(event.plaintext)
    if len(text) > _LONGEST_CHARS:
        text = f"{text[: _LONGEST_CHARS - 1]}…"
    return Line.over(start, end, text)


def is_placed(event: pysubs2.SSAEvent) -> bool:
    """Whether the event has a place of its own on the screen, as signs have."""
    return _PLACED.search(event.text) is not None


def is_spoken(event: pysubs2.SSAEvent) -> bool:
    """Whether the event is text that somebody says."""
    if event.is_comment or event.is_drawing or _KARAOKE.search(event.text):
        return False
    return not _EFFECTS.search(event.effect) and any(map(str.isalnum, event.plaintext))


def _decoded(path: Path) -> str:
    try:
        data = read_file(path, _BYTES_MAX)
    except SpecialFileError as error:
        raise SubtitlesError(
            path,
            error.strerror or str(error),
            check="That a file is named: a pipe, such as <(...), can be read only once.",
            tip="Write the subtitles into a file first, and name that.",
        ) from error
    except OSError as error:
        raise SubtitlesError(path, error.strerror or str(error)) from error
    for begin, kind in _PICTURES.items():
        if data.startswith(begin):
            raise SubtitlesError(path, f"Its subtitles are pictures ({kind}), not text.")
    for bom, encoding in _BOMS.items():
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        best = from_bytes(data).best()
    if best is None:
        raise SubtitlesError(path, "The encoding of its text is unknown.")
    return str(best)


def _parsed(
    path: Path, text: str, form: str, frame_rate: Fraction | None
) -> tuple[list[pysubs2.SSAEvent], int]:
    """Return the events, and how many lines had to be left out for them."""
    fps = float(frame_rate) if frame_rate and form == "microdvd" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about margins and alignments, which nobody asks for
        try:
            return _events(text, form, None), 0
        except Pysubs2Error as error:
            if fps is None:
                raise SubtitlesError(path, str(error)) from error
            return _events(text, form, fps), 0
        except NotImplementedError as error:
            raise SubtitlesError(path, "It tells a kind of time that is not read here.") from error
        except ParseError as error:
            raise SubtitlesError(path, f"It is damaged: {error}.") from error
        except (ValueError, OverflowError):
            lines = text.splitlines()
            whole = list(filter(_is_whole, lines))
            return _events("\n".join(whole), form, fps), len(lines) - len(whole)


def _events(text: str, form: str, fps: float | None) -> list[pysubs2.SSAEvent]:
    events = pysubs2.SSAFile.from_string(text, form, fps=fps).events
    for event in events if form == "vtt" else ():
        # A blank line ends a cue: what follows is the next one's name, which pysubs2 leaves there.
        event.text = html.unescape(event.text.split(r"\N\N")[0])
    for event, following in pairwise(events) if form == "sami" else ():
        event.end = min(following.start, event.start + _SAMI_LONGEST_MS)
    return [event for event in events if form != "sami" or event.plaintext.strip()]


def _is_whole(line: str) -> bool:
    """Whether `line` can be parsed alone: one broken event must not cost the others."""
    try:
        _events(f"[Events]\n{line}", "ass", None)
    except (ValueError, OverflowError):
        return False
    return True


def _format(path: Path, text: str) -> str:
    try:
        return str(pysubs2.formats.autodetect_format(text[:10000]))
    except Pysubs2Error as error:
        form = _BY_SUFFIX.get(path.suffix.lower())
        if form is None or not text.strip():
            raise SubtitlesError(path, "It is no subtitle format that is known here.") from error
        return form
