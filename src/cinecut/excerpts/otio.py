"""Writes clips as OpenTimelineIO: the only door to its package, which the `otio` extra brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cinecut.excerpts.clips import Clip
from cinecut.results.presentation import field_label
from cinecut.text import printable

if TYPE_CHECKING:
    from opentimelineio.schema import Clip as OtioClip


def to_otio(clips: Sequence[Clip], title: str) -> str:
    """Return a timeline of one track, one clip after the other, each at its film's own rate.

    A marker stands where the picture is that was described, with its description.
    """
    import opentimelineio as otio

    timeline = otio.schema.Timeline(name=printable(title))
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    track.extend([_clip(clip) for clip in clips])
    timeline.tracks.append(track)
    text: str = timeline.to_json_string()
    return text + "\n"


def _clip(clip: Clip) -> OtioClip:
    import opentimelineio as otio

    hit, timebase = clip.excerpt.hit, clip.timebase
    rate, first = float(timebase.rate), int(clip.first_frame(timebase))
    begin, end = clip.frames(timebase)
    picture = first + timebase.frames(hit.timestamp_s)
    film_s = clip.excerpt.film_s

    def span(begin: int, end: int) -> otio.opentime.TimeRange:
        times = (otio.opentime.RationalTime(frames, rate) for frames in (begin, end - begin))
        return otio.opentime.TimeRange(*times)

    whole = None if film_s is None else span(first, max(end, first + timebase.frames(film_s)))
    told = [f"{field_label(name)}: {text}" for name, text in hit.texts.items()]
    return otio.schema.Clip(
        name=printable(clip.film.name),
        media_reference=otio.schema.ExternalReference(
            target_url=clip.film.as_uri(),
            available_range=whole,
        ),
        source_range=span(begin, end),
        markers=[
            otio.schema.Marker(
                name=next(iter(hit.texts.values()), ""),
                marked_range=span(picture, picture + 1),
                color=otio.schema.MarkerColor.GREEN,
                comment="\n".join(told),
            )
        ],
        metadata={
            "cinecut": {
                "timestamp_s": hit.timestamp_s,
                "source": hit.source,
                "score": hit.score,
                "description": dict(hit.description or {}),
                "chapter": hit.chapter,
                "dialogue": [asdict(line) for line in hit.dialogue],
            }
        },
    )
