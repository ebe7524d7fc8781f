"""Reads several files as if they were one, as a DVD's title set is."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from cinecut.files import open_file


class JoinedFile(io.RawIOBase):
    """Files in a row: what follows the end of one is the begin of the next."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open `paths`.

        Raises:
            OSError: One of them is missing, no regular file, or cannot be read.
        """
        super().__init__()
        self._files: list[BinaryIO] = []
        for path in paths:
            self._files.append(open_file(path))
        sizes = (os.fstat(file.fileno()).st_size for file in self._files)
        self._begins = list(accumulate(sizes, initial=0))
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the begin of the first file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._begins[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, and none only at the end of the last file."""
        number = bisect_right(self._begins, self._at) - 1
        if number >= len(self._files):
            return b""
        left = self._begins[number + 1] - self._at
        self._files[number].seek(self._at - self._begins[number])
        data = self._files[number].read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def close(self) -> None:
        """Close them all; the end of this object does so too."""
        for file in getattr(self, "_files", ()):
            file.close()
        super().close()
