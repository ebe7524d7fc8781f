"""A mock llama-server that keeps what it is asked about films: each prompt, and its pictures."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = f"""#!{sys.executable}
import base64, json
from cinecut.mock_server import main, replies
honest = replies.completion
def completion(request, *arguments, **more):
    if request.is_trial:
        return honest(request, *arguments, **more)
    pictures = [base64.b64encode(picture).decode() for picture in request.pictures]
    with open(HEARD, "a") as file:
        file.write(json.dumps([request.prompt, pictures]) + chr(10))
    return honest(request, *arguments, **more)
replies.completion = completion
raise SystemExit(main())
"""


@dataclass(frozen=True)
class Heard:
    """One question."""

    prompt: str
    pictures: list[bytes]


class ListeningServer:
    """The program, and what all its processes have heard."""

    def __init__(self, folder: Path) -> None:
        self.path, self._heard = folder / "listening-server", folder / "heard"
        self.path.write_text(_PROGRAM.replace("HEARD", repr(str(self._heard))))
        self.path.chmod(0o755)

    @property
    def heard(self) -> list[Heard]:
        """What was asked and answered so far."""
        if not self._heard.exists():
            return []
        asked: list[Any] = [json.loads(line) for line in self._heard.read_text().splitlines()]
        return [Heard(prompt, [*map(base64.b64decode, ones)]) for prompt, ones in asked]
