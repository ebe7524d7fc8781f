"""Small films at any rate, and the hits of a search in them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from films import Look, make_film, still
from shelf import scene, write_film

from cinecut.results.scenes import Scene
from cinecut.search import Hit, Library

TOLD = "A red car stops under a lamp | tense | Two men get out | a street at night"
TIMES_S = (0.0, 41.3, 59.97, 60.03, 601.25, 3599.9, 3724.6)
"""Around the minutes whose first frames have no number, where numbers are dropped."""
LENGTH_S = 4000.0


def small_film(path: Path, rate: Fraction, timecode: str | None = None) -> Path:
    """Write half a second of film; what it says of itself is all that counts here."""
    look = Look(rate=rate, size=(64, 48), has_index=False)
    if timecode is None:
        return make_film(path, still(1, round(rate / 2)), look)
    plain = make_film(path.with_name(f"plain {path.name}"), still(1, round(rate / 2)), look)
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        container.metadata["timecode"] = timecode
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    plain.unlink()
    return path


def scenes_at(*times_s: float, told: str = TOLD) -> list[Scene]:
    """Return scenes at these times."""
    plain = [scene(index, told) for index in range(len(times_s))]
    return [
        replace(each, keyframe=replace(each.keyframe, timestamp_s=at_s))
        for each, at_s in zip(plain, times_s, strict=True)
    ]


def describe(film: Path, *times_s: float, told: str = TOLD, length_s: float = LENGTH_S) -> Path:
    """Write results of a film beside it, as long as the times ask for."""
    return write_film(film.parent, film.name, scenes_at(*times_s, told=told), length_s)


def hits_in(shelf: Path, query: str = "red car") -> list[Hit]:
    """Return all hits below a folder, in the order of films and times."""
    with Library(shelf) as library:
        hits = library.search(query, 1000)
    return sorted(hits, key=lambda hit: (hit.folder, hit.timestamp_s))
