"""Tells the parts of a film that has been described: what its scenes show, say and are said of."""

from __future__ import annotations

from collections.abc import Sequence

from cinecut.results.scenes import Scene, time_key
from cinecut.run.work import FilmWork


def parts_of_film(work: FilmWork, scenes: Sequence[Scene]) -> list[int]:
    """Return for each of `scenes`, all of the film in its order, the number of its part.

    It goes by what is known when all is done, and not by who described what and when: a run that
    was interrupted comes to the same parts as one that was not.
    """
    from cinecut.story.likeness import Shot  # numpy, which a film that is done does without
    from cinecut.story.parts import parts_of

    # A frame for the interval is chosen where a shot has a frame already; a budget may drop that.
    is_whole = work.job.keyframes.max_frames is None
    thumbs = {time_key(scene): work.thumbs.get(place) for place, scene in work.done.items()}
    return parts_of(
        [
            Shot(
                scene.keyframe.timestamp_s,
                thumbs.get(time_key(scene)),
                scene.description.setting if scene.description else "",
                scene.dialogue,
                is_whole and scene.keyframe.source == "interval_fallback",
            )
            for scene in scenes
        ],
        work.scan.info.duration_s if work.scan else None,
    )
