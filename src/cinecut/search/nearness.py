"""Looks closely at what was found: a vector for a whole text blurs what it says.

A scene is as near as its text, or what is seen in it alone, means the same as the query; and the
more so the more words of the query have one in the scene that is like them (late interaction:
Khattab and Zaharia, ColBERT, 2020). It takes the texts themselves, so few can be looked at.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

import numpy as np

from cinecut.search.embedding import BagOfWords
from cinecut.search.query import TEXTS

_WORDS_WEIGH: Final = 0.3
"""So much weigh words that are alike; texts that are, 1.

Measured: with less fewer moods are found, with more fewer paraphrases.
"""


def nearest_first(connection: sqlite3.Connection, text: str, rows: Sequence[int]) -> list[int]:
    """Return those of `rows`, scenes, that have to do with `text`, the nearest first."""
    wanted = BagOfWords([text])
    found = connection.execute(
        f"SELECT rowid, {', '.join(TEXTS)} FROM scenes "
        "WHERE rowid IN (SELECT value FROM json_each(?))",
        (json.dumps(rows),),
    ).fetchall()
    if not len(wanted.words) or not found:
        return []
    whole = BagOfWords([" ".join(texts) for _, *texts in found])
    seen = BagOfWords([visual for _, visual, *_ in found])
    [meant] = wanted.means()
    near = np.maximum(whole.means() @ meant, seen.means() @ meant)
    weights = np.linalg.norm(wanted.words, axis=1)
    near += whole.nearest_words(wanted.words) @ (_WORDS_WEIGH * weights / weights.sum())
    order = np.argsort(-near, kind="stable")
    return [found[at][0] for at in order if near[at] > 0]
