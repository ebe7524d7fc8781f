"""How a llama-server tells its port, whose that is, and what would keep it from telling."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

# A whole line, from its start: a model's own texts may be printed too, and could name a port. One
# with an end of line in it can forge even this, so who listens there is looked at as well.
_LISTENING: Final = re.compile(
    rb"^[^:\n]{0,80}: (?:server is )?listening on http://127\.0\.0\.1:(\d{1,5})"
    rb"(?: - starting the main loop)?(?:\x1b\[0m|[ \t\r])*\n",
    re.MULTILINE,
)
_LONGEST_LINE: Final = 256
_LOOPBACK: Final = "127.0.0.1"
_LISTEN: Final = "0A"  # TCP_LISTEN in the kernel's tables
# The log tells the port, at the usual verbosity; the address is one of plain HTTP; its paths have
# no prefix; and there is one key.
_SPOILING: Final = (
    "LLAMA_ARG_API_KEY_FILE",
    "LLAMA_ARG_API_PREFIX",
    "LLAMA_ARG_LOG_DISABLE",
    "LLAMA_ARG_LOG_FILE",
    "LLAMA_ARG_LOG_VERBOSITY",
    "LLAMA_ARG_SSL_CERT_FILE",
    "LLAMA_ARG_SSL_KEY_FILE",
    "LLAMA_LOG_FILE",
    "LLAMA_LOG_VERBOSITY",
)


def ports_told_in(log: bytes) -> set[int]:
    """Return the ports that whole lines of `log` tell."""
    return {int(port) for port in _LISTENING.findall(log)}


def trusted_port(ports: Iterable[int]) -> int | None:
    """Return the one on which this user or root listens, who know all that we do; None if none.

    Linux tells who listens. Where nobody does, any port is trusted.
    """
    with socket.create_server((_LOOPBACK, 0)) as own:
        owners = _listeners()
        is_told = own.getsockname()[1] in owners
    return next((p for p in ports if not is_told or owners.get(p) in {0, os.geteuid()}), None)


def unfinished_line(log: bytes) -> bytes:
    """Return the last line of `log` if it has no end yet: as much of it as can matter."""
    begin = log.rfind(b"\n") + 1
    return log[begin : begin + _LONGEST_LINE]


def left_out_of(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that no child gets: with them it could not be found or spoken to."""
    return [name for name in _SPOILING if name in environment]


def notice_of_left_out(environment: Mapping[str, str]) -> str:
    """Return a sentence for the user on what is left out; nothing where nothing is."""
    names = ", ".join(left_out_of(environment))
    sentence = f"llama-server is started without {names}: CineCut could not speak to it."
    return sentence if names else ""


def _listeners() -> dict[int, int]:
    """Return by port the users who listen on loopback, /proc/net/tcp in proc(5); none elsewhere."""
    loopback = f"{int.from_bytes(socket.inet_aton(_LOOPBACK), sys.byteorder):08X}"
    owners = {}
    with suppress(FileNotFoundError, PermissionError):  # and not where no file can be opened
        for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
            _, local, _, state, _, _, _, user, *_ = line.split()
            address, _, port = local.partition(":")
            if address == loopback and state == _LISTEN:
                owners[int(port, 16)] = int(user)
    return owners
