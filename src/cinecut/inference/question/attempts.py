"""Decides how often one picture is asked about, and when to give up: patience without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from cinecut.inference.asking import NoReplyError, ServerLostError
from cinecut.inference.question.chat import ServerBusyError
from cinecut.models import Skip

_MOST_LOSSES: Final = 3
_PAUSE_S: Final = 0.5
_LEAST_S: Final = 0.1
_ABOUT_THE_PICTURE: Final = {"bad_image", "too_large"}  # another seed changes nothing


class Answer(Protocol):
    """What a model says, and whether that goes in circles."""

    @property
    def repeats_itself(self) -> bool:
        """Whether it goes in circles."""


Told = TypeVar("Told", bound=Answer)


class Attempts(Generic[Told]):
    """The attempts at one picture.

    Each `after_` method takes what an attempt has come to and returns the last word on the
    picture, or None for another attempt, `pause_s` later.
    """

    def __init__(self, timeout_s: float, follow: Callable[[str], None] | None = None) -> None:
        """Take the seconds for all the asking together, and who is told the words as they come."""
        self.follow = follow
        self.seed = 0
        """How often it was asked about so far: another seed each time."""
        self.pause_s = 0.0
        self.is_afresh = False
        """Whether the slot should look at the picture anew: what it made of it may be at fault."""
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._waits_since_s = time.monotonic()
        self._losses = 0
        self._may_reseed = True
        self._kept: Told | None = None
        """A description that repeats itself: better than none, should no other one come."""

    @property
    def is_last_loss(self) -> bool:
        """Whether one more lost server is the last.

        The picture may be the cause then: alone it takes no other with it.
        """
        return self._losses == _MOST_LOSSES - 1

    def begin(self) -> float:
        """Begin an attempt and return the seconds it may take; waiting for it does not count."""
        now_s = time.monotonic()
        self._deadline_s += now_s - self._waits_since_s
        self.seed += 1
        self.pause_s = 0.0
        return max(_LEAST_S, self._deadline_s - now_s)

    def after_reply(self, outcome: Told | Skip) -> Told | Skip | None:
        """Ask once more about a bad reply, which costs little: the slot still has the picture.

        One that repeats itself is bad, and kept.
        """
        if isinstance(outcome, Skip):
            is_final = outcome.reason in _ABOUT_THE_PICTURE
        else:
            is_final = not outcome.repeats_itself
            self._kept = outcome
        if is_final or not self._may_reseed or self._is_over():
            return self._kept or outcome
        self._may_reseed = False
        self.is_afresh = isinstance(outcome, Skip) and outcome.reason == "server_error"
        self._wait()
        return None

    def after_busy(self, error: ServerBusyError) -> Told | Skip | None:
        """Ask later, and later each time."""
        pause_s = _PAUSE_S * self.seed
        if self._is_over(pause_s):
            return self._kept or Skip("server_error", str(error))
        self._wait(pause_s)
        return None

    def after_loss(
        self, error: NoReplyError | ServerLostError, *, is_new: bool
    ) -> Told | Skip | None:
        """Ask the new server, with the whole time for it; where there is none, the old one once.

        Args:
            error: How the server was lost.
            is_new: Whether another server is there now.
        """
        if self._kept:
            return self._kept
        self._losses += 1
        if is_new:
            self._deadline_s = time.monotonic() + self._timeout_s
            if self._losses < _MOST_LOSSES:
                self._wait()
                return None
        if isinstance(error, NoReplyError):
            return Skip("timeout", f"No reply within {self._timeout_s:g} s.")
        if self._losses >= _MOST_LOSSES or self._is_over(_PAUSE_S):
            return Skip("server_error", f"The connection broke {self._losses} times: {error}")
        self._wait(_PAUSE_S)
        return None

    def _is_over(self, after_s: float = 0.0) -> bool:
        return time.monotonic() + after_s > self._deadline_s

    def _wait(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self._waits_since_s = time.monotonic() + pause_s  # the pause counts, the turn does not


Body = Callable[[Attempts[Told]], dict[str, Any]]
"""Makes the request of the next attempt."""

Read = Callable[[Any], Told | Skip]
"""Makes an outcome of a server's reply."""
