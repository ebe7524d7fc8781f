"""Writes stand-ins for nvidia-smi: programs on a PATH of their own."""

from __future__ import annotations

from pathlib import Path


def answering(*free_mib: int | str) -> str:
    """Answer for one GPU a line, or for the one that -i names by its index."""
    cases = "".join(f'*" -i {index}"*) echo "{free}";;\n' for index, free in enumerate(free_mib))
    every = "".join(f"echo '{free}'\n" for free in free_mib)
    return f'case " $*" in\n{cases}*) {every};;\nesac'


def growing(folder: Path, step_mib: int, from_mib: int = 500) -> str:
    """Answer with more free memory each time, as after another process has ended."""
    count = folder / "asked"
    return (
        f'n=$(/bin/cat "{count}" 2>/dev/null || echo 0)\necho $((n + 1)) > "{count}"\n'
        f"echo $(({from_mib} + n * {step_mib}))"
    )


HANGING = "exec /bin/sleep 600"
FAILING = "echo 'NVIDIA-SMI has failed because it could not talk to the driver.'\nexit 9"
NOT_TELLING = answering("[N/A]")
WITHOUT_DEVICES = "echo 'No devices were found'\nexit 6"


def write(folder: Path, body: str | None) -> Path:
    """Make `folder`, with an nvidia-smi of this shell script in it unless it is None."""
    folder.mkdir(parents=True, exist_ok=True)
    if body is not None:
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    return folder
