"""How a llama-server tells its port, and what in the environment would keep it from that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# A whole line, from its start: a model's own texts may be printed too, and could name a port.
_LISTENING: Final = re.compile(
    rb"^[^:\n]{0,80}: (?:server is )?listening on http://127\.0\.0\.1:(\d{1,5})"
    rb"(?: - starting the main loop)?(?:\x1b\[0m|[ \t\r])*\n",
    re.MULTILINE,
)
_LONGEST_LINE: Final = 256
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


def port_told_in(log: bytes) -> int | None:
    """Return the port that a whole line of `log` tells; None before that line is there."""
    found = _LISTENING.search(log)
    return int(found[1]) if found else None


def unfinished_line(log: bytes) -> bytes:
    """Return the last line of `log` if it has no end yet: as much of it as can matter."""
    begin = log.rfind(b"\n") + 1
    return log[begin : begin + _LONGEST_LINE]


def left_out_of(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that no child gets: with them it could not be found or spoken to."""
    return [name for name in _SPOILING if name in environment]
