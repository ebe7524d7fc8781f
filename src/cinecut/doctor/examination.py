"""Runs the checks one after the other; none can break or hold up the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from cinecut.doctor.checks import Check
from cinecut.doctor.finding import Finding, failure
from cinecut.doctor.machine import Machine
from cinecut.errors import CineCutError

FindingT = TypeVar("FindingT", bound=Finding | None)

_REPORT_IT: Final = "This is a bug of CineCut: please report it, with this line."
# Above the limits that the checks set to the programs they run, so that those are ended and
# waited for. It holds for what nobody can set a limit to, such as a network drive that is gone.
_LIMIT_S: Final = 75.0


def examine(
    machine: Machine,
    checks: Mapping[str, Check],
    on_check: Callable[[str], None] = lambda _: None,
    limit_s: float = _LIMIT_S,
) -> Iterator[tuple[str, Finding]]:
    """Yield the name of each check and what it has found.

    Args:
        machine: What to look at.
        checks: The checks by name.
        on_check: Told the name of a check before it begins.
        limit_s: Seconds after which a check is given up as a failure.
    """
    for name, check in checks.items():
        on_check(name)
        finding = _bounded(check, machine, limit_s)
        if finding is not None:
            yield name, finding


def _bounded(check: Check, machine: Machine, limit_s: float) -> Finding | None:
    answers: list[Finding | None] = []
    thread = threading.Thread(target=lambda: answers.append(guarded(check, machine)), daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        return failure(
            f"There was no answer within {limit_s:g} s.",
            "Look for a drive, a driver or a program that hangs; a restart mends most.",
        )
    return answers[0]


def guarded(check: Callable[[Machine], FindingT], machine: Machine) -> FindingT | Finding:
    """Return what a check finds; what it raises is a failure."""
    try:
        return check(machine)
    except CineCutError as error:
        return failure(error.cause, error.tip)
    except OSError as error:
        return failure(f"{error.strerror or error}", "See what the line names.")
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
        return failure(f"The check broke: {type(error).__name__}: {error}", _REPORT_IT)
