"""Tells whether a free answer is language at all: not whether it is true."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

_ODD_SHARE: Final = 1 / 4  # of the words: an honest sentence has one, an abbreviation or a name
_LEAST_WORDS: Final = 10  # from which on a sentence without small words is none
_SMALL_SHARE: Final = 1 / 12  # English has four in ten
_LONGEST_WORD: Final = 24
_MOST_SCRIPTS: Final = 2  # "HELLO" in a sentence of another one
_LOST: Final = "\N{REPLACEMENT CHARACTER}"
_VOWELS: Final = frozenset("aeiouyæøœə")
_BLANK: Final = re.compile(r'\s+|"[,:]"')  # or what stands between two texts of JSON
# What counts neither as a word nor against the words: a number, a dash, the mark of a list.
_NO_WORD: Final = re.compile(
    r"|\W?[\d.,:%]{1,6}\W?|[-*#&\N{EN DASH}\N{EM DASH}\N{BULLET}]{1,3}|\.+"
)
_FOUR_ALIKE: Final = re.compile(r"(.)\1{3}")
_BETWEEN_PARTS: Final = re.compile(r"['/\-\N{RIGHT SINGLE QUOTATION MARK}]")
# Scripts as unicodedata names them; of Japanese and Chinese those that go together.
_EAST_ASIAN: Final = {"HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA"}
_WITHOUT_BLANKS: Final = {"CJK", "THAI", "LAO", "KHMER", "MYANMAR"}
_ENGLISH: Final = (
    "a an and are as at be by can for from has if in is it its no not of on or so than that the "
    "there this to was when which will with you your"
)
_OTHERS: Final = (  # that a model may answer an English question in
    "da das de del dem den der des di die do du e een ein eine el en et het i il im ist la las le "
    "les los mit na o os para que sur um uma un una und une van von w y z"
)
_SMALL_WORDS: Final = frozenset(f"{_ENGLISH} {_OTHERS}".split())


def is_nonsense(text: str) -> bool:
    """Say whether an answer to an English question is what a broken server or projector makes.

    That is nothing, signs without letters, the same over and over, pieces of words, or words of
    all scripts and none of those that hold a sentence together. A plain sentence that is wrong
    is language. The end may have been cut off in mid-word.

    Args:
        text: The answer, of a word to a few sentences.
    """
    text = "".join(char for char in text.rstrip(_LOST) if unicodedata.category(char) != "Cf")
    visible = [char for char in text if not char.isspace()]
    if any(char == _LOST or unicodedata.category(char)[0] == "C" for char in visible):
        return True
    if 2 * sum(map(_is_letter, visible)) <= len(visible) or len(_scripts(text)) > _MOST_SCRIPTS:
        return True
    words = [_bare(part) for part in _BLANK.split(text) if not _NO_WORD.fullmatch(part)]
    odd = sum(_odd_ones(words))
    if odd > _ODD_SHARE * len(words) and (odd > 1 or len(words) == 1):
        return True
    latin = [word.lower() for word in words if _scripts(word) == {"LATIN"}]
    small = sum(word in _SMALL_WORDS for word in latin)
    return len(latin) >= _LEAST_WORDS and small < _SMALL_SHARE * len(latin)


def _bare(part: str) -> str:
    """Return what stands between blanks without the marks around it."""
    marks = "".join({char for char in part if unicodedata.category(char)[0] == "P"})
    return part.strip(f"{marks}`")


def _odd_ones(words: Sequence[str]) -> Iterator[bool]:
    """Yield of each whether it is no word, or one of the two before it again."""
    for at, word in enumerate(words):
        yield word in words[max(0, at - 2) : at] or not _is_word(word)


def _is_word(word: str) -> bool:
    """Say whether it can be one: letters of one script, of one case, with a vowel."""
    scripts, parts = _scripts(word), _BETWEEN_PARTS.split(word)
    if _FOUR_ALIKE.search(word):
        return False
    if scripts & _WITHOUT_BLANKS:  # a whole sentence
        return len(scripts - {"LATIN"}) == 1
    if len(scripts) != 1 or not all(map(_is_letter, "".join(parts))) or len(word) > _LONGEST_WORD:
        return False
    has_vowel = not _VOWELS.isdisjoint(unicodedata.normalize("NFKD", word).lower())
    return scripts != {"LATIN"} or (has_vowel and all(map(_has_one_case, parts)))


def _has_one_case(part: str) -> bool:
    return part.isupper() or part[1:] == part[1:].lower()


def _is_letter(char: str) -> bool:
    """Say whether it is a letter, or a mark on one."""
    return unicodedata.category(char)[0] in "LM"


def _scripts(text: str) -> set[str]:
    """Return the scripts of the letters in `text`."""
    names = (unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha())
    return {"CJK" if name in _EAST_ASIAN else name for name in names}
