"""Writes text into XML 1.0, which has no way at all to spell some characters."""

from __future__ import annotations

import html
import re
from typing import Final

from cinecut.text import plain

# Of those that it refuses, what `plain` leaves.
_REFUSED: Final = re.compile("[\ufffe\uffff]")


def xml_text(text: str) -> str:
    """Return `text` on one line, escaped, without what no XML can hold."""
    return html.escape(_REFUSED.sub("", plain(text)))
