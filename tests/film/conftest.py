from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings, ScanReport
from cinecut.models import KeyframeRecord

ScanResult = tuple[list[KeyframeRecord], ScanReport]


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., ScanResult]:
    """Scans a film with the settings given as keywords."""

    def run(film: Path, **settings: object) -> ScanResult:
        frames_dir = tmp_path / "frames"
        with KeyframeScan(film, frames_dir, KeyframeSettings(**settings)) as keyframes:
            return list(keyframes), keyframes.report

    return run
