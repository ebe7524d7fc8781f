"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failure"]
"""As it should be; `describe` works, but less well; `describe` does not work."""


@dataclass(frozen=True)
class Finding:
    """What one check has found."""

    state: State
    found: str
    mend: str | None = None
    """The command that mends it, or what to do."""
    seconds: float | None = None
    """How long it took, where that is what was looked at."""


def ok(found: str, seconds: float | None = None) -> Finding:
    """Return that all is well."""
    return Finding("ok", found, seconds=seconds)


def warning(found: str, mend: str) -> Finding:
    """Return that `describe` works, but less well."""
    return Finding("warning", found, mend)


def failure(found: str, mend: str) -> Finding:
    """Return that `describe` does not work."""
    return Finding("failure", found, mend)
