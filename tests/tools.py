"""Programs that tests need and no package on PyPI brings."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def needed(program: str, package: str) -> str:
    """Return where `program` of Debian's `package` is; no test goes on without it."""
    return shutil.which(program) or missing(f"{program} is not on this machine", package)


def missing(reason: str, package: str) -> NoReturn:
    """Skip the test that runs; in CI it fails."""
    reason = f"{reason}: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
