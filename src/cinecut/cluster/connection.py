"""Being connected to a Ray cluster: one that is there, or one of this machine alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import AuthenticationError

from cinecut.cluster.places import Resources
from cinecut.errors import ClusterError

_KNOCK_PATIENCE_S: Final = 5.0
_OBJECT_STORE_BYTES: Final = 100 * 2**20  # messages are small; Ray would take a third of the memory


def machines() -> list[Resources]:
    """Return what each machine of the cluster has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster while the block runs.

    Args:
        address: "auto" for the cluster that this machine belongs to, `HOST:PORT` of a cluster's
            head, or "local" to start Ray on this machine alone and end it again; what
            `environment.prepare` was given before this module was imported.

    Raises:
        ClusterError: There is none, or it does not let us in.
    """
    if address not in {"auto", "local"}:
        _knock(address)
    before = signal.getsignal(signal.SIGTERM)
    # Ray's sockets lie there, and their paths must be short.
    place = "/tmp" if os.name == "posix" else None
    with ExitStack() as stack:
        # Ray prints what it thinks of a lost worker to stdout, and has no switch for it; it may do
        # so until it is shut down.
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        options: dict[str, Any] = {"address": address}
        if address == "local":
            folder = tempfile.TemporaryDirectory(
                prefix="cinecut-", dir=place, ignore_cleanup_errors=True
            )
            options |= {
                "_temp_dir": stack.enter_context(folder),  # else it leaves its logs in /tmp/ray
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
            }
        stack.callback(ray.shutdown)
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            raise _refusal(error) from error
        signal.signal(signal.SIGTERM, before)  # Ray's own would leave without ending the workers
        yield


def _knock(address: str) -> None:
    """See that somebody answers; Ray itself tries for two minutes and fills the screen."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _KNOCK_PATIENCE_S).close()
    except (OSError, ValueError, OverflowError) as error:  # the last: a port without end
        tip = "Name HOST:PORT of the cluster's head, or run this on a machine of it: --cluster auto"
        raise ClusterError(f"Nobody answers at {address}: {error}", tip=tip) from error


def _refusal(error: Exception) -> ClusterError:
    """Return why Ray does not let us in; it tells of a missing token in a cause's text only."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AuthenticationError) or AuthenticationError.__name__ in str(cause):
            return ClusterError(
                "The cluster asks for a token.",
                check="That ~/.ray/auth_token is the same on all machines of the cluster.",
                tip="export RAY_AUTH_MODE=token, or --cluster auto on a machine of the cluster",
            )
        cause = cause.__cause__ or cause.__context__
    return ClusterError(str(error))
