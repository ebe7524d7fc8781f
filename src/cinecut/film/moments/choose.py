"""Leads a film's frames past the shot detector and the picker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Protocol

from av.error import FFmpegError

from cinecut.film.moments.candidates import Candidate
from cinecut.film.moments.glance import Glance, Glancer, Sample
from cinecut.film.moments.picks import Pick, Picker
from cinecut.film.moments.settling import Settling
from cinecut.film.moments.shots import SAMPLE_S
from cinecut.film.moments.transitions import Change
from cinecut.film.reading.lines import Lines
from cinecut.film.reading.walk import Shown


class _Shots(Protocol):
    def add(self, time: Fraction, glance: Glance, sample: Sample | None) -> list[Change]: ...

    def finish(self) -> list[Change]: ...


def choose(
    walk: Iterable[Shown], lines: Lines, glance_at: Glancer, shots: _Shots, picker: Picker
) -> Iterator[Pick]:
    """Yield the picks that are sure, in film order; the picker holds the last ones."""
    latest: tuple[Shown, Glance] | None = None
    next_sample = Fraction(0)
    settling = Settling()
    for shown in walk:
        yield from settling.until(shown.time)
        next_line = shown.time if shown.in_line else lines.next_middle
        if latest is not None and shown.time > picker.due(next_line):
            yield from settling.add(picker.come_due(_candidate(*latest)))
        try:
            glance = glance_at(shown.frame)
        except FFmpegError:  # a frame so broken that it has no picture
            continue
        candidate = None
        if shown.in_line or shown.time >= next_sample:
            candidate = _candidate(shown, glance)
            next_sample = shown.time + SAMPLE_S
        for change in shots.add(shown.time, glance, candidate.sample if candidate else None):
            settling.part(change)
            yield from settling.add(picker.begin_shot(change))
        if candidate is not None:
            picker.add_candidate(candidate)
            if shown.in_line:
                yield from settling.add(picker.add_line(candidate))
        latest = shown, glance
    for change in shots.finish():
        settling.part(change)
        yield from settling.add(picker.begin_shot(change))
    yield from settling.finish()


def _candidate(shown: Shown, glance: Glance) -> Candidate:
    return Candidate(Sample.of(shown.time, glance), shown.frame)
