"""Writes the keyframes of a film as lines of JSON, for `cinecut keyframes`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cinecut.errors import OutputError
from cinecut.files import replacing
from cinecut.models import KeyframeRecord

KEYFRAMES_NAME: Final = "keyframes.jsonl"


def keyframe_to_dict(record: KeyframeRecord) -> dict[str, Any]:
    """Return a keyframe as the JSON object that stands in the list."""
    return {"type": "keyframe", **asdict(record)}


def write_keyframes(folder: Path, records: Iterable[KeyframeRecord]) -> Iterator[KeyframeRecord]:
    """Write `records` to the list in `folder` and pass each on.

    The list is written aside and takes its name when the last record is in it.

    Raises:
        OutputError: The folder cannot be written.
    """
    path = folder / KEYFRAMES_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error.strerror or str(error)) from error
    try:
        with replacing(path) as file:
            for record in records:
                line = json.dumps(keyframe_to_dict(record), separators=(",", ":")) + "\n"
                file.write(line.encode("ascii"))
                yield record
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
