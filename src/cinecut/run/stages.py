"""Counts where the time of a film goes; each stage in one thread, so nobody waits for a count."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass
class Stages:
    """Seconds of a film in each stage; they overlap, so that their sum is longer than it took."""

    decoding: float = 0.0
    """Reading and decoding, and choosing among what was decoded."""
    encoding: float = 0.0
    """Making and keeping the pictures."""
    waiting: float = 0.0
    """The decoder's, for a slot to be free."""
    asking: float = 0.0
    """The model's, of all slots together."""
    writing: float = 0.0
    """Journal and exports."""

    @contextmanager
    def spent(self, stage: str) -> Iterator[None]:
        """Count the block's time to a stage."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.add(stage, time.monotonic() - began_s)

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds to a stage."""
        setattr(self, stage, getattr(self, stage) + seconds)

    def each(self, stage: str, items: Iterable[_T]) -> Iterator[_T]:
        """Yield `items`, and count to a stage how long each takes to come."""
        remaining = iter(items)
        while True:
            with self.spent(stage):
                try:
                    item = next(remaining)
                except StopIteration:
                    return
            yield item

    def rounded(self) -> dict[str, float]:
        """Return the seconds of each stage, to milliseconds."""
        return {stage: round(seconds, 3) for stage, seconds in asdict(self).items()}
