"""Knows which pictures are a results folder's own, what a link leads to is not, and the poster."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import Final

from cinecut.files import SpecialFileError, check_folder
from cinecut.results.presentation import PICTURES_FOLDER, picture
from cinecut.results.scenes import Results, Scene

POSTER_AT: Final = 1 / 3
"""A film opens on logos and black; so far in, it looks like itself."""


def with_own_pictures(folder: Path, results: Results) -> Results:
    """Return the `results` in `folder`, without the paths of pictures that lie elsewhere.

    A picture that is missing keeps its path: it may come back.
    """
    frames = folder / PICTURES_FOLDER
    try:
        check_folder(frames)
        with os.scandir(frames) as entries:
            foreign = {
                f"{PICTURES_FOLDER}/{entry.name.casefold()}"  # some systems take A for a
                for entry in entries
                if not entry.is_file(follow_symlinks=False)
            }
    except SpecialFileError:
        return replace(results, scenes=list(map(_without_picture, results.scenes)))
    except OSError:
        return results
    scenes = [
        _without_picture(scene) if picture(scene) in foreign else scene for scene in results.scenes
    ]
    return replace(results, scenes=scenes)


def poster_of(folder: Path, results: Results, among: Container[int] = ()) -> Path | None:
    """Return the first picture there is from so far into the film on.

    Args:
        folder: The results folder.
        results: What `with_own_pictures` returns.
        among: Indexes of scenes of which one is taken before any other.
    """
    third = int(len(results.scenes) * POSTER_AT)
    scenes = results.scenes[third:] + results.scenes[:third]
    scenes.sort(key=lambda scene: scene.index not in among)
    pictures = (folder / path for path in map(picture, scenes) if path is not None)
    return next((path for path in pictures if path.is_file()), None)


def _without_picture(scene: Scene) -> Scene:
    return replace(scene, keyframe=replace(scene.keyframe, frame_path=""))
