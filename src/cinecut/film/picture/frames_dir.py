"""Writes the pictures, each whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from cinecut.errors import OutputError
from cinecut.files import make_folder, remove_leftovers, replacing


class FramesDir:
    """The folder of a film's pictures; it is made when the first one is written."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._is_clean = False

    def write(self, time: Fraction, jpeg: bytes) -> Path:
        """Write the picture shown at `time` seconds and return its absolute path.

        Raises:
            OutputError: The folder or the file cannot be written.
        """
        path = self._path / f"{round(time * 1000):09d}.jpg"
        try:
            make_folder(self._path)
            if not self._is_clean:  # a run of other settings may have been killed in any frame
                remove_leftovers(self._path)
                self._is_clean = True
            with replacing(path) as file:
                file.write(jpeg)
        except OSError as error:
            raise OutputError(path, error.strerror or str(error)) from error
        return path
