"""Writes the pictures, each whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from threading import Lock

from cinecut.errors import OutputError
from cinecut.files import make_folder, remove_leftovers, replacing


class FramesDir:
    """The folder of a film's pictures; it is made when the first one is written."""

    def __init__(self, path: Path, *, holds: bool = False) -> None:
        """Take the folder, and whether pictures are to be held until `write_held` is called."""
        self._path = path.absolute()
        self._is_clean = False
        self._held: list[tuple[Path, bytes]] | None = [] if holds else None
        self._lock = Lock()

    def write(self, time: Fraction, jpeg: bytes) -> Path:
        """Write the picture shown at `time` seconds, or hold it, and return its absolute path.

        Raises:
            OutputError: The folder or the file cannot be written.
        """
        path = self._path / f"{round(time * 1000):09d}.jpg"
        with self._lock:
            if self._held is None:
                self._write(path, jpeg)
            else:
                self._held.append((path, jpeg))
        return path

    def write_held(self) -> None:
        """Write what is held, and hold no more; may be called from any thread.

        Raises:
            OutputError: The folder or a file cannot be written.
        """
        with self._lock:
            held, self._held = self._held or (), None
            for path, jpeg in held:
                self._write(path, jpeg)

    def _write(self, path: Path, jpeg: bytes) -> None:
        try:
            make_folder(self._path)
            if not self._is_clean:  # a run of other settings may have been killed in any frame
                remove_leftovers(self._path)
                self._is_clean = True
            with replacing(path) as file:
                file.write(jpeg)
        except OSError as error:
            raise OutputError(path, error.strerror or str(error)) from error
