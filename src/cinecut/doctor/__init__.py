"""Examines whether this machine has what `describe` needs, and names what mends it."""

from __future__ import annotations

from cinecut.doctor.checks import CHECKS, CHECKS_WITH_SERVER_URL
from cinecut.doctor.examination import examine
from cinecut.doctor.finding import Finding, State
from cinecut.doctor.machine import Machine
from cinecut.doctor.proof import prove

__all__ = ["CHECKS", "CHECKS_WITH_SERVER_URL", "Finding", "Machine", "State", "examine", "prove"]
