"""Remembers for a week what has been proven, so that a script of many runs pays for it once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from cinecut.files import read_file, replacing

_DAYS: Final = 7  # a driver is updated, a server elsewhere gets other files: nothing here tells
_LARGEST_BYTES: Final = 1 << 16


def is_proven(facts: Mapping[str, Any]) -> bool:
    """Say whether exactly these facts have been noted within a week."""
    return _name(facts) in _noted()


def note_proven(facts: Mapping[str, Any]) -> None:
    """Note the facts; where nothing can be written, nothing is remembered."""
    noted = _noted() | {_name(facts): date.today()}
    with suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        with replacing(_path()) as file:
            file.writelines(f"{day} {name}\n".encode() for name, day in noted.items())


def _noted() -> dict[str, date]:
    """Return what was noted within a week, and when; lines that cannot be read are passed over."""
    try:
        lines = read_file(_path(), _LARGEST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return {}
    noted = dict[str, date]()
    for line in lines:
        day, _, name = line.partition(" ")
        with suppress(ValueError):
            noted[name] = date.fromisoformat(day)
    today = date.today()
    return {name: day for name, day in noted.items() if 0 <= (today - day).days < _DAYS}


def _name(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _path() -> Path:
    return user_cache_path("cinecut", appauthor=False) / "proven.txt"
