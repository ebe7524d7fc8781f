"""Lives as llama-server does: binds, loads, says that it listens, and ends on SIGTERM."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from cinecut.mock_server.failures import FAILURES, LOADER_EXIT_CODE
from cinecut.mock_server.faults import Fault, SettingError
from cinecut.mock_server.options import Options, help_text, read_options
from cinecut.mock_server.protocol import POLL_S, MockServer
from cinecut.mock_server.replies import BUILD

_STARTED_S: Final = time.monotonic()
_LOADING_LINE_EVERY_S: Final = 0.2
# By name: Windows has only some of them.
_SIGNALS: Final = {"segfault": "SIGSEGV", "kill": "SIGKILL", "freeze": "SIGSTOP"}


class _Interrupted(Exception):
    """The first SIGTERM or SIGINT."""


def main() -> int:
    """Run one mock llama-server; returns its exit code."""
    try:
        options = read_options(sys.argv[1:], os.environ)
    except SettingError as error:
        _write(f"{error}\n")
        return 1
    if "--help" in options.flags:
        sys.stdout.write(help_text(options.plan.missing_flags))
        return 0
    if "--version" in options.flags:
        _write(f"version: {BUILD}\n")
        return 0
    if "--list-devices" in options.flags:
        devices = options.devices or ("(none)",)
        sys.stdout.write("\n".join(["Available devices:", *(f"  {name}" for name in devices), ""]))
        return 0
    return _serve(options)


def _serve(options: Options) -> int:
    deaf = "deaf" in options.plan.traits
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if deaf else signal.SIG_DFL)
    _strike_all(options, "start")
    if not options.api_keys:
        _log("W srv", "llama_server", "CORS is set to allow all origins and no API key is set")
    try:
        server = MockServer(options, strike=_strike, log=_log)
    except OSError:
        address = f"hostname: {options.host}, port: {options.port}"
        _log("E srv", "start", f"couldn't bind HTTP server socket, {address}")
        _log("E srv", "llama_server", "exiting due to HTTP server error")
        return 1
    with server:
        threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
        _load(options)
        server.ready.set()
        try:
            if not deaf:
                _raise_on_signals()
            _log("I srv", "llama_server", "model loaded")
            _log("I srv", "llama_server", f"listening on {server.url}")
            while True:
                time.sleep(3600)
        except _Interrupted:
            _log("I srv", "operator()", "operator(): cleaning up before exit...")
        server.stopping.set()
        server.shutdown()
        _strike_all(options, "stop")
        while server.in_flight:
            time.sleep(POLL_S)
    return 0


def _load(options: Options) -> None:
    _log("I srv", "load_model", f"loading model '{options.model}'")
    _sleep(options.load_s / 2, options)
    _strike_all(options, "load")
    if not all(Path(name).is_file() for name in (options.model, options.mmproj) if name):
        _strike(Fault.parse("fail=no-such-file"))
    _sleep(options.load_s / 2, options)
    if options.has_vision:
        _log("I srv", "load_model", f"loaded multimodal model, '{options.mmproj}'")
    slots = f"n_slots = {options.slots}, n_ctx_slot = {options.slot_context_tokens}"
    _log("I srv", "load_model", f"initializing, {slots}")


def _sleep(seconds: float, options: Options) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(left_s, _LOADING_LINE_EVERY_S))
        if "silent" not in options.plan.traits:
            _log("I", "", "load_tensors: loading model tensors, this can take a while...")


def _strike_all(options: Options, stage: str) -> None:
    for fault in options.plan.due(stage):
        _strike(fault)


def _strike(fault: Fault) -> None:
    """Let a fault of the process happen; others are none of its business."""
    if fault.name == "exit":
        os._exit(int(fault.value or "1"))
    elif fault.name == "fail":
        _write(f"{FAILURES[fault.value]}\n")
        os._exit(LOADER_EXIT_CODE if fault.value == "missing-library" else 1)
    elif fault.name == "log":
        _chatter(fault.size_bytes("1M"))
    elif fault.name in _SIGNALS:
        os.kill(os.getpid(), getattr(signal, _SIGNALS[fault.name], signal.SIGTERM))
        time.sleep(0.1)  # another thread may be the one that takes the signal


def _chatter(size: int) -> None:
    chunk = (b"llama_decode: chatter " + b"." * 77 + b"\n") * 10_000
    with contextlib.suppress(OSError):
        for left in range(size, 0, -len(chunk)):
            os.write(2, chunk[:left])


def _raise_on_signals() -> None:
    """Raise `_Interrupted` at the first SIGTERM or SIGINT, exit at the second."""

    def exit_at_once(*_: object) -> None:
        _write("Received second interrupt, terminating immediately.\n")
        os._exit(1)

    def interrupt(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, exit_at_once)
        raise _Interrupted

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


def _log(level: str, function: str, text: str) -> None:
    """Write one line in llama-server's layout: time, level, part, function and text."""
    elapsed_us = int((time.monotonic() - _STARTED_S) * 1e6)
    minutes, rest_us = divmod(elapsed_us, 60_000_000)
    stamp = f"{minutes}.{rest_us // 1_000_000:02}.{rest_us // 1000 % 1000:03}.{rest_us % 1000:03}"
    _write(f"{stamp} {level}{f'{function}: '.rjust(16) if function else ' '}{text}\n")


def _write(text: str) -> None:
    # Straight to the file descriptor: whole lines from any thread, and nothing left to flush.
    # Nobody to read the log and a full disk are no reasons to end.
    with contextlib.suppress(OSError):
        os.write(2, text.encode())
