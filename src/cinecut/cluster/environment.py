"""Sets what Ray reads from the environment when it is imported; it is not imported here."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path


def prepare(address: str) -> None:
    """Let Ray report nothing, and keep a cluster of this machine alone on loopback.

    Args:
        address: The cluster, as `cinecut.cluster.connection.connected` takes it.
    """
    if not _user_wants_reports():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        # Off, Ray keeps to 127.0.0.1, as it does on macOS and Windows by itself. Asked for that
        # address by any other way it takes the machine's own instead and listens everywhere.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # A token of its own keeps other users of this machine out. Left to itself, Ray puts one
        # into the home folder, and from then on every `ray start` there asks for it.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _user_wants_reports() -> bool:
    config = Path.home() / ".ray" / "config.json"  # where `ray enable-usage-stats` notes it
    with suppress(OSError, ValueError, AttributeError):
        return bool(json.loads(config.read_text("utf-8")).get("usage_stats"))
    return False
