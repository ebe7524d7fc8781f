"""Makes text that came from a film, a file name or a model safe to show."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Final

# Format characters that reorder the text around them ("Trojan source", CVE-2021-42574). Other
# format characters (marks of direction, joiners of emoji and of Indic scripts) are honest text.
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Return `text` on one line, with nothing in it that a terminal would obey.

    White space of any kind becomes one blank; control characters, escapes, lone surrogates
    and bidirectional overrides become U+FFFD, the replacement character.
    """
    return shown(_one_line(text))


def shown(text: str) -> str:
    """Return `text` with its blanks as they are: a path, which must stay one where it can."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unsafe(char) else char for char in text)


def plain(text: str) -> str:
    """Return `text` on one line without what a terminal would obey: no trace of it is left.

    For text that honest people write such characters into, as subtitles in Arabic and Hebrew.
    """
    return _one_line("".join(char for char in text if char.isspace() or not _is_unsafe(char)))


def without_home(text: str) -> str:
    """Return `text` with the user's home folder written as `~`, so that it can be shared."""
    try:
        home = str(Path.home())
    except RuntimeError:  # no HOME and no entry in the user database
        return text
    if home == Path(home).anchor:
        return text
    return re.sub(re.escape(home) + r"(?![^/\\\s'\"])", "~", text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs"} or char in _BIDI_CONTROLS
