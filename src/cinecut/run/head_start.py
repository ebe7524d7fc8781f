"""Scans a film while llama-server gets ready; nothing is written before somebody takes it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cinecut.film.keyframes import Found, KeyframeScan, KeyframeSettings

_MOST: Final = 16
"""Keyframes whose pictures are in memory meanwhile; some are enough for every slot at once."""


class HeadStart:
    """A scan that begins at once, in a thread of its own. A context manager.

    The first keyframes are found when the model is loaded, which may take longer than they do.
    """

    def __init__(
        self,
        film: Path,
        frames_dir: Path,
        settings: KeyframeSettings,
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Begin the scan; arguments as for `KeyframeScan`."""
        self.elapsed_s = 0.0
        """How long it has scanned."""
        self._what = film, frames_dir, settings
        self._is_cancelled = is_cancelled
        self._scan: KeyframeScan | None = None
        self._error: Exception | None = None
        self._found: deque[Found] = deque()
        self._rest: Iterator[Found] = iter(())
        self._is_open, self._is_read, self._is_closed = (threading.Event() for _ in range(3))
        self._is_taken = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> HeadStart:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the scan, unless somebody has taken it; closing twice is fine."""
        if not self._is_taken:
            self._end()

    @contextmanager
    def taken(self, is_cancelled: Callable[[], bool]) -> Iterator[KeyframeScan]:
        """Lend the scan, to be ended by `is_cancelled` too, and close it after the block.

        Raises:
            CineCutError: The film cannot be read.
        """
        self._is_taken, before = True, self._is_cancelled
        self._is_cancelled = lambda: before() or is_cancelled()
        try:
            self._is_open.wait()
            if self._scan is None and self._error is not None:
                raise self._error
            assert self._scan is not None
            yield self._scan
        finally:
            self._end()

    def in_full(self) -> Iterator[Found]:
        """Write the pictures that were found, and go on, as `KeyframeScan.in_full` does."""
        assert self._scan is not None
        self._scan.write_held()
        while self._found:
            yield self._found.popleft()
        self._is_read.set()
        self._thread.join()
        while self._found:
            yield self._found.popleft()
        if self._error is not None:
            raise self._error
        yield from self._rest

    def _end(self) -> None:
        self._is_closed.set()
        self._thread.join()
        if self._scan is not None:
            self._scan.close()

    def _run(self) -> None:
        began_s = time.monotonic()
        try:
            self._scan = KeyframeScan(
                *self._what,
                holds_pictures=True,
                is_cancelled=lambda: self._is_closed.is_set() or self._is_cancelled(),
            )
            self._is_open.set()
            self._rest = self._scan.in_full()
            for found in self._rest:
                self._found.append(found)
                if self._is_read.is_set() or len(self._found) >= _MOST:
                    return
        except Exception as error:  # noqa: BLE001 - raised again where it is taken
            self._error = error
        finally:
            self.elapsed_s = time.monotonic() - began_s
            self._is_open.set()
