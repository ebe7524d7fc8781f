"""Fits scenes where nobody speaks, as an audio description: WebVTT of the kind `descriptions`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import ceil, floor
from typing import Final, NamedTuple

from cinecut.inference.models import SceneDescription
from cinecut.inference.question.ending import UNSPACED, sentences
from cinecut.results import presentation
from cinecut.results.entries import LONGEST_S
from cinecut.results.exports.captions import Cue, obeyed_by_nobody, webvtt
from cinecut.results.scenes import Results

WORDS_PER_MINUTE: Final = 160
"""An unhurried voice."""

_LONG_WORD_CHARS: Final = 12
"""A longer one takes the time of several: compounds, and what has no blanks in it."""
_WORDS_A_CHARACTER: Final = 2 / 3
"""Of scripts without blanks between words: 240 characters a minute at 160 words."""

_UNSPACED: Final = re.compile(f"[{UNSPACED}]")
_FOREVER_MS: Final = 2 * round(LONGEST_S * 1000)


class _Gap(NamedTuple):
    start_ms: int
    end_ms: int


class _Telling(NamedTuple):
    """What there is to say about a scene: sentences in their order, and how long each takes."""

    times_ms: dict[str, int]
    by_weight: list[str]
    place: set[str]
    """Those that say where it is."""

    def within(self, room_ms: int) -> list[str]:
        """Return, in their order, the weightiest sentences that are read in so long.

        Nothing without the first of them, which the others speak of as "it" and "she".
        """
        kept = set[str]()
        for sentence in self.by_weight:
            if self.times_ms[sentence] <= room_ms:
                room_ms -= self.times_ms[sentence]
                kept.add(sentence)
            elif not kept:
                break
        return [sentence for sentence in self.times_ms if sentence in kept]

    def time_ms(self, kept: Iterable[str]) -> int:
        return sum(self.times_ms[sentence] for sentence in kept)


class _Fitted(NamedTuple):
    """What is told, and how many scenes there were to tell, shortened and left out."""

    cues: list[Cue]
    described: int
    shortened: int
    left_out: int


def to_descriptions(results: Results, words_per_minute: float = WORDS_PER_MINUTE) -> str:
    """Return a cue for each scene that can be read where nobody speaks; no two overlap.

    Args:
        results: The scenes, with what is said in them.
        words_per_minute: How fast they are read, above 0.
    """
    fitted = _fit(results, words_per_minute)
    return webvtt(fitted.cues, _missing(fitted, results, words_per_minute))


def what_is_missing(results: Results, words_per_minute: float = WORDS_PER_MINUTE) -> str:
    """Say how many scenes are not told in full, and if no dialogue is known; "" for neither.

    Args:
        results: The scenes, with what is said in them.
        words_per_minute: How fast they are read, above 0.
    """
    return _missing(_fit(results, words_per_minute), results, words_per_minute)


def _missing(fitted: _Fitted, results: Results, words_per_minute: float) -> str:
    said = []
    if fitted.left_out or fitted.shortened:
        said.append(
            f"The audio description leaves out {fitted.left_out:,} of {fitted.described:,} scenes "
            f"and shortens {fitted.shortened:,}: there is no room for more at "
            f"{words_per_minute:g} words a minute."
        )
    if fitted.cues and not any(scene.dialogue for scene in results.scenes):
        said.append("No dialogue is known, so the audio description may speak over some.")
    return " ".join(said)


class _Memory:
    """What was told of the film's present part: no sentence of it is told twice."""

    def __init__(self, words_per_minute: float) -> None:
        self._words_per_minute = words_per_minute
        self._part: int | None = None
        self._has_place = False
        self._told = set[str]()
        self._last: list[str] = []

    def news(self, part: int | None, description: SceneDescription) -> _Telling | None:
        """Return what there is to tell of a scene of `part`; None if that is nothing new."""
        if part != self._part:
            self._part, self._has_place, self._told = part, False, {*self._last}
        seen, happens = (
            [sentence for sentence in _sentences(text) if sentence not in self._told]
            for text in (description.visual_content, description.action)
        )
        shown = [text for text in _read_out(description) if text not in self._told]
        if not (seen or shown or happens):
            return None
        place = [] if self._has_place else _sentences(description.setting)
        times_ms = {
            sentence: max(1, ceil(words_aloud(sentence) * 60_000 / self._words_per_minute))
            for sentence in (*place, *seen, *shown, *happens)
        }
        by_weight = dict.fromkeys([*seen[:1], *shown, *happens, *place, *seen[1:]])
        return _Telling(times_ms, [*by_weight], {*place})

    def add(self, telling: _Telling, kept: list[str]) -> None:
        """Take note of what is told of a scene."""
        self._has_place = self._has_place or not telling.place.isdisjoint(kept)
        self._told.update(kept)
        self._last = kept


def _fit(results: Results, words_per_minute: float) -> _Fitted:
    """Begin to tell each scene while it stands for the film; the words may outlast its picture."""
    begins_ms = [round(scene.keyframe.timestamp_s * 1000) for scene in results.scenes]
    gaps, memory = _gaps(results), _Memory(words_per_minute)
    cues: list[Cue] = []
    described = shortened = left_out = free_ms = 0
    for scene, begin_ms, next_ms in zip(
        results.scenes, begins_ms, [*begins_ms, _FOREVER_MS][1:], strict=True
    ):
        if scene.description is None:
            continue
        described += 1
        telling = memory.news(scene.part, scene.description)
        if telling is None:
            continue
        start_ms, kept = _placed(telling, gaps, max(begin_ms, free_ms), next_ms)
        if not kept:
            left_out += 1
            continue
        free_ms = start_ms + telling.time_ms(kept)
        cues.append(Cue(start_ms, free_ms, " ".join(kept)))
        shortened += len(kept) < len(telling.times_ms)
        memory.add(telling, kept)
    return _Fitted(cues, described, shortened, left_out)


def _placed(
    telling: _Telling, gaps: Sequence[_Gap], from_ms: int, before_ms: int
) -> tuple[int, list[str]]:
    """Return when to begin, and what is told then: in the first gap of those that hold most."""
    start_ms, kept = from_ms, list[str]()
    first = bisect_right(gaps, from_ms, key=lambda gap: gap.end_ms)
    for gap in (gaps[place] for place in range(first, len(gaps))):
        opens_ms = max(from_ms, gap.start_ms)
        if opens_ms >= before_ms or len(kept) == len(telling.times_ms):
            break
        fitting = telling.within(gap.end_ms - opens_ms)
        if telling.time_ms(fitting) > telling.time_ms(kept):
            start_ms, kept = opens_ms, fitting
    return start_ms, kept


def _gaps(results: Results) -> list[_Gap]:
    """Return when nobody speaks, as far as it is known, up to the film's end."""
    end_ms = floor((presentation.duration_s(results) or 0) * 1000) or _FOREVER_MS
    lines_ms = sorted(
        (floor(line.start_s * 1000), ceil(line.end_s * 1000))
        for scene in results.scenes
        for line in scene.dialogue
    )
    gaps, quiet_ms = list[_Gap](), 0
    for starts_ms, stops_ms in [*lines_ms, (end_ms, end_ms)]:
        if quiet_ms < min(starts_ms, end_ms):
            gaps.append(_Gap(quiet_ms, min(starts_ms, end_ms)))
        quiet_ms = max(quiet_ms, stops_ms)
    return gaps


def _read_out(description: SceneDescription) -> list[str]:
    """Return the on-screen text in quotes, as one sentence, unless what is seen quotes it."""
    text = obeyed_by_nobody(description.text or "")
    is_told = text.casefold() in obeyed_by_nobody(description.visual_content).casefold()
    return [] if not text or is_told else [f"\u201c{text}\u201d."]


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text, with a stop after one that has no mark at its end."""
    found = sentences(obeyed_by_nobody(text))
    return [f"{one}." if one[-1].isalnum() else one for one in found]


def words_aloud(text: str) -> float:
    """Return how many words of usual length are read aloud."""
    unspaced = len(_UNSPACED.findall(text))
    words = _UNSPACED.sub(" ", text).split()
    spaced = sum(max(1, len(word) / _LONG_WORD_CHARS) for word in words if _is_read(word))
    return unspaced * _WORDS_A_CHARACTER + spaced


def _is_read(word: str) -> bool:
    return any(char.isalnum() for char in word)
