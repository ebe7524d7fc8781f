"""Understands what was typed: whatever it is, SQLite's FTS5 finds no fault with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cinecut.errors import UsageError
from cinecut.inference.models import ALL_FIELDS

TEXTS: Final = (*ALL_FIELDS, "dialogue", "chapter")
"""What a scene or a chapter says: columns of the index."""

COLUMNS: Final = {name.partition("_")[0]: name for name in TEXTS} | {"film": "film"}
"""The columns that a query may name, by what it calls them: `visual`, `mood`, …"""

_PART: Final = re.compile(
    rf'(?:(?P<field>{"|".join(COLUMNS)}):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))',
    re.IGNORECASE,
)
_MOST_WORDS: Final = 64
_EMPTY: Final = """
a an and are as at be been but by for from had has have he her his if in into is it its of on or
she so than that the their them then there they this to was were what when where which who will with
"""
EMPTY_WORDS: Final = frozenset(_EMPTY.split())
"""Of the language alone: they stand everywhere, and to rank by them takes long."""


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    must: tuple[str, ...]
    """Expressions of FTS5 that hold for every hit: phrases, and what was asked of one field."""
    words: tuple[str, ...]
    """Words and `prefixes*` as typed: the more of them, the better."""
    text: str
    """What was typed, without the names of fields: its meaning is looked for."""

    @property
    def terms(self) -> tuple[str, ...]:
        """The words as expressions of FTS5."""
        return tuple(map(in_any_column, self.words))

    @property
    def condition(self) -> str | None:
        """What every hit fulfils; None for anything."""
        return " AND ".join(f"({part})" for part in self.must) or None

    @property
    def all_of_it(self) -> str:
        """What hits with every word fulfil."""
        return " AND ".join(f"({part})" for part in (*self.must, *self.terms))

    @property
    def expression(self) -> str:
        """What hits by words fulfil."""
        words = " OR ".join(self.terms)
        return " AND ".join(f"({part})" for part in (*self.must, words) if part)


def parse_query(text: str, *, mood: str | None = None, source: str | None = None) -> Query:
    """Return the query that `text` is: words, `"phrases"`, `prefix*` and `field:word`.

    Args:
        text: What was typed.
        mood: Words that the mood must have too.
        source: What the frame must have been chosen for.

    Raises:
        UsageError: There is no letter or digit in it.
    """
    must, words, meant = [], [], []
    for part in _PART.finditer(_clean(text)):
        field, phrase, word = part["field"], part["phrase"], part["word"]
        said = word if phrase is None else phrase
        if not _has_token(said):
            continue
        meant.append(said.rstrip("*"))
        if field or phrase is not None:
            must.append(in_columns([COLUMNS[field.lower()]] if field else COLUMNS.values(), said))
        else:
            words.append(said)
    full = [word for word in words if word.rstrip("*").lower() not in EMPTY_WORDS]
    if not meant:
        raise UsageError(
            "The query has no word in it.", tip='Look for a word, such as: cinecut search "red car"'
        )
    if mood and _has_token(mood):
        must += [in_columns(["mood"], each) for each in _clean(mood).split() if _has_token(each)]
    if source and _has_token(source):
        must.append(in_columns(["source"], _clean(source)))
    few = tuple(dict.fromkeys(full or words))[:_MOST_WORDS]
    return Query(tuple(dict.fromkeys(must))[:_MOST_WORDS], few, " ".join(meant))


def plain(text: str) -> str:
    """Return `text` in small letters and without diacritics, as FTS5 compares it."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", text.lower())
    kept = "".join(char for char in apart if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", kept)


def in_any_column(said: str) -> str:
    """Return the expression for a word, a `prefix*` or a phrase wherever it stands."""
    return in_columns(COLUMNS.values(), said)


def in_columns(columns: Iterable[str], said: str) -> str:
    """Return the expression for a word, a `prefix*` or a phrase in one of `columns`."""
    star = "*" if said.endswith("*") else ""
    quoted = said.rstrip("*").replace('"', '""')
    return f'{{{" ".join(columns)}}} : "{quoted}"{star}'


def _clean(text: str) -> str:
    """Return `text` as SQLite takes it: a null ends a text there, half a character is none."""
    text = text.encode("utf-8", errors="replace").decode()
    return re.sub(r"[\x00-\x1f]", " ", text)


def _has_token(text: str) -> bool:
    """Say whether FTS5 finds a word in it: letters, digits and characters of private use."""
    return any(unicodedata.category(char)[0] in "LN" for char in text)
