"""Knows which pictures are a results folder's own: what a link leads to is not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cinecut.files import SpecialFileError, check_folder
from cinecut.results.presentation import PICTURES_FOLDER, picture
from cinecut.results.scenes import Results, Scene


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


def _without_picture(scene: Scene) -> Scene:
    return replace(scene, keyframe=replace(scene.keyframe, frame_path=""))
