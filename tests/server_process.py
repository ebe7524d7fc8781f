"""Runs a llama-server, real or mock, as a process with its log in a file, and talks to it."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from cinecut.inference.address import ways_to

API_KEY = "a-key-for-tests"
NAMED_SERVER = os.environ.get("CINECUT_LLAMA_SERVER")
"""Another llama-server to run the tests with: CINECUT_LLAMA_SERVER=PATH scripts/test."""

PATIENCE_S = 30.0
"""How long to wait for what must come: only a failing test waits so long."""


@dataclass(frozen=True)
class ServerProgram:
    """A llama-server program."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """What must be added to the environment for it to run."""

    def known(self, *flags: str) -> list[str]:
        """Return those flags, each with its value, that this build's --help lists."""
        found = []
        for flag in flags:
            name, *value = flag.split("=")
            if re.search(rf"{name}\b", self._help):
                found += [name, *value]
        return found

    @property
    def is_early(self) -> bool:
        """Whether it is one of the first builds that took pictures: these tell less."""
        return not self.known("--skip-chat-parsing")

    @cached_property
    def _help(self) -> str:
        return self.run("--help").stdout

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [self.path, *arguments],
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


class ServerProcess:
    """A running server; leaving the block ends it."""

    def __init__(
        self,
        program: ServerProgram,
        *arguments: str | Path,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log_path = log_path
        self._session = requests.Session()
        with log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [program.path, "--host", "127.0.0.1", "--port", "0", "--offline", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **program.environment,
                    "LLAMA_API_KEY": API_KEY,
                    **(environment or {}),
                },
            )

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it listens; waits until the log says so."""
        return self.wait_for_log(r"listening on (http://[^\s:]+:\d+)")[1]

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Return the first match of `pattern` in the log as soon as there is one."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            ended = self.process.poll()
            match = re.search(pattern, self.log)
            if match is not None:
                return match
            assert ended is None, f"exit code {ended} before {pattern!r}:\n{self.log}"
            assert time.monotonic() < deadline_s, f"no {pattern!r}:\n{self.log}"
            time.sleep(0.01)

    def wait(self) -> int:
        """Return its exit code once it has ended by itself."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.wait()

    def get(self, path: str) -> requests.Response:
        url = self.url + path
        return self._session.get(url, timeout=PATIENCE_S, **ways_to(url, API_KEY))

    def post(self, path: str, body: object, timeout_s: float = PATIENCE_S) -> requests.Response:
        url = self.url + path
        return self._session.post(url, json=body, timeout=timeout_s, **ways_to(url, API_KEY))

    def chat(self, picture: bytes, timeout_s: float = PATIENCE_S, **more: Any) -> requests.Response:
        return self.post("/v1/chat/completions", chat_body(picture, **more), timeout_s)


def code_of_failed_start(start: Callable[[], ServerProcess], reason: str) -> int:
    """Return the exit code of a server that logs `reason` and gives up.

    The real one drops the end of its log when it exits at once: the last line in one start of
    three, the reason in one of thirty. Five starts without the reason are no accident.
    """
    for _ in range(5):
        with start() as server:
            code = server.wait()
            if reason in server.log:
                return code
    raise AssertionError(f"no {reason!r} in the log:\n{server.log}")


def chat_body(picture: bytes, **more: Any) -> dict[str, Any]:
    """Return a chat request about a picture: bounded and with a seed, `more` on top."""
    url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": more.pop("text", "What is to be seen?")},
    ]
    messages = [{"role": "user", "content": content}]
    return {"messages": messages, "max_tokens": 300, "temperature": 0.2, "seed": 1, **more}


def text_of(response: requests.Response) -> str:
    """Return the words of a completion."""
    assert response.status_code == 200, response.text
    text: str = response.json()["choices"][0]["message"]["content"]
    return text
