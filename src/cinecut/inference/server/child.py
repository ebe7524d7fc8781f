"""One llama-server child: its start, its life on a leash, its end. Knows no prompt."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from cinecut.errors import InferenceError, OutputError
from cinecut.inference.asking import AskingError, RefusedError, ask_server
from cinecut.inference.gpu.lock import HELD
from cinecut.inference.server import leash
from cinecut.inference.server.diagnosis import find_reason
from cinecut.inference.server.family import Pulse, end_strays, how_it_ended
from cinecut.inference.server.listening import (
    left_out_of,
    ports_told_in,
    trusted_port,
    unfinished_line,
)
from cinecut.inference.server.log import cut_log, last_lines, read_tail, where_it_is

_POLL_S: Final = 0.05
_REQUEST_TIMEOUT_S: Final = 5.0
_GRACE_S: Final = 5.0
_IMPATIENT_S: Final = 0.5
_LOG_CHECK_S: Final = 1.0
_LOG_CHUNK_BYTES: Final = 1 << 20
_PULSE_S: Final = 1.0

SILENCE_LIMIT_S: Final = 120.0
"""How long a loading server may show no sign of life. The whole load may take longer."""


class UnexplainedEndError(InferenceError):
    """The server failed and its log shows none of the usual reasons."""


class LlamaServer:
    """A llama-server that was started by this process and ends with it.

    States: new, starting (child runs, model loads), ready (`base_url` answers), ended. `start`
    leads to ready or raises with the child gone; `stop` leads to ended from any state and may be
    called any number of times, from any thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_path: Path,
        *,
        model_path: Path,
        silence_limit_s: float = SILENCE_LIMIT_S,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the command without address and key, and the model it must report.

        Args:
            command: Program and flags.
            environment: The child's environment.
            log_path: Where its output is appended.
            model_path: The model that it must report.
            silence_limit_s: Seconds that it may show no sign of life while it starts.
            is_cancelled: Asked while it starts; True ends that with KeyboardInterrupt.
        """
        self.base_url = ""
        # In the environment, not on the command line: any user can read the latter.
        self.api_key = secrets.token_urlsafe(24)
        self.log_path = log_path
        self.command = [*command, "--host", "127.0.0.1", "--port", "0"]
        # Some builds crash without a HOME.
        home = {"HOME": tempfile.gettempdir()}
        self._environment = {**home, **environment, "LLAMA_API_KEY": self.api_key}
        for name in left_out_of(environment):
            del self._environment[name]
        self._model_path = model_path
        self._silence_limit_s = silence_limit_s
        self._is_cancelled = is_cancelled
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        self._log_begin = 0
        self._stopping = threading.Event()

    @property
    def pids(self) -> list[int]:
        """Process ids of what was started, the program itself first; none but on Linux."""
        return leash.family_of(self._process.pid) if self._process else []

    @property
    def is_alive(self) -> bool:
        """Whether the child, or what it has started, runs; it may still hang (`answers`)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the child and wait until it is ready.

        Raises:
            InferenceError: It ended, went silent or is not the server that was asked for; the
                message has the usual reason and the last lines of the log.
            OutputError: The log cannot be written.
        """
        try:
            self._wait_until_ready(self._spawn())
            self._check_identity()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the child and its family: SIGTERM, again for one that waits for its clients, SIGKILL.

        llama-server lets replies under way finish and then waits for the client to hang up. A
        second SIGTERM tells it to end at once; a hanging server takes neither.
        """
        self._stopping.set()
        process = self._process
        if process is None:
            return
        try:
            for patience_s in (_IMPATIENT_S, _GRACE_S):
                if process.poll() is None:
                    _ask_to_end(process)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(patience_s)
        finally:  # also when an impatient user interrupts the waiting
            _let_go(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
            if process.poll() is None:  # the leash itself stands still
                process.kill()
            if self._keeper is not None:
                self._keeper.join()

    def answers(self, timeout_s: float = _REQUEST_TIMEOUT_S) -> bool:
        """Say whether the server is healthy within `timeout_s` seconds."""
        try:
            ask_server(f"{self.base_url}/health", timeout_s=timeout_s)
        except AskingError:
            return False
        return True

    def ask(
        self, path: str, body: dict[str, Any] | None, timeout_s: float, key: str | None = None
    ) -> Any:
        """Return the JSON that the server replies with, to its own key or another.

        Raises:
            AskingError: There is no such reply.
        """
        url, key = f"{self.base_url}{path}", key or self.api_key
        return ask_server(url, key, body, timeout_s=timeout_s, is_cancelled=self._is_cancelled)

    def get_props(self) -> dict[str, Any]:
        """Return the server's own account of itself.

        Raises:
            InferenceError: It does not answer, or not to this process's key.
        """
        try:
            props = self.ask("/props", None, _REQUEST_TIMEOUT_S * 2)
        except AskingError as error:
            raise self.failure(f"It does not tell its properties: {error}") from error
        if not isinstance(props, dict):
            raise self.failure("It tells its properties in an unknown form.")
        return props

    def failure(self, what: str) -> InferenceError:
        """Return the error for `what`, with the usual reason and the end of the log."""
        tail = read_tail(self.log_path, self._log_begin)
        reason = find_reason(tail)
        log = last_lines(tail) or "(the log is empty)"
        detail = f"{reason.cause if reason else what}\nThe last lines of its log:\n{log}"
        check = where_it_is(self.log_path)
        if reason is None:
            return UnexplainedEndError(f"llama-server failed. {detail}", check=check)
        return InferenceError(f"llama-server failed. {detail}", check=check, tip=reason.tip)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the child on its leash, from a thread that waits for its end."""
        spawned: SimpleQueue[subprocess.Popen[bytes] | Exception] = SimpleQueue()

        def keep() -> None:
            try:
                # Appending, so that the log can be cut while the server writes to it.
                with self.log_path.open("ab") as log:
                    self._log_begin = log.tell()
                    self._process = subprocess.Popen(
                        [sys.executable, "-I", "-S", leash.__file__, *self.command],
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env=self._environment,
                        start_new_session=True,
                        pass_fds=HELD,  # so that nobody has the GPU before the family is gone
                    )
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                spawned.put(error)
                return
            spawned.put(self._process)
            if self._stopping.is_set():  # while the child was being started
                _let_go(self._process)
            with self._process as process:
                self._watch_over(process)

        self._keeper = threading.Thread(target=keep, daemon=True, name="cinecut-server-keeper")
        self._keeper.start()
        child = spawned.get()
        if isinstance(child, OSError):
            raise OutputError(self.log_path, child.strerror or str(child)) from child
        if isinstance(child, Exception):
            raise child
        return child

    def _watch_over(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the child's end, and keep a chatty one from filling the disk."""
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOG_CHECK_S)
            with suppress(OSError):
                cut_log(self.log_path)
        end_strays(process.pid, f"LLAMA_API_KEY={self.api_key}", _GRACE_S)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the line that tells the port; it comes when the model has been loaded."""
        limit_s = self._silence_limit_s
        pulse = Pulse(process.pid, self.log_path, every_s=min(_PULSE_S, limit_s / 4))
        with self.log_path.open("rb") as log:
            log.seek(self._log_begin)
            seen, ports = b"", set[int]()
            while True:
                ended = process.poll() is not None  # before the log: a last line still counts
                if log.tell() > os.fstat(log.fileno()).st_size:  # it has been cut
                    log.seek(0)
                while chunk := log.read(_LOG_CHUNK_BYTES):
                    seen = unfinished_line(seen) + chunk
                    ports |= ports_told_in(seen)
                if ports and (port := trusted_port(ports)):
                    self.base_url = f"http://127.0.0.1:{port}"
                    return
                if ended:
                    raise self.failure(f"It {how_it_ended(process.returncode)} while starting.")
                if self._is_cancelled():
                    raise KeyboardInterrupt
                if self._stopping.is_set():
                    raise InferenceError("llama-server was stopped while it was starting.")
                if pulse.silent_s > limit_s:
                    silence = f"It showed no sign of life for {limit_s:.0f} s while starting."
                    if ports:
                        silence += " On the port that it tells, nobody of this user listens."
                    told = self.failure(silence)
                    raise InferenceError(told.detail, check=told.check, tip=told.tip)
                time.sleep(_POLL_S)

    def _check_identity(self) -> None:
        """Make sure that the port belongs to this child: no key but its own, its model.

        The wrong key goes first, so that whoever takes any key never learns the right one.
        """
        try:
            self.ask("/props", None, _REQUEST_TIMEOUT_S * 2, secrets.token_urlsafe(24))
        except RefusedError as error:
            if error.status not in (401, 403):
                raise self.failure(f"It does not tell its properties: {error}") from error
        except AskingError as error:
            raise self.failure(f"It does not tell its properties: {error}") from error
        else:
            raise self.failure("It takes any key, so it is not the server that was started.")
        told = self.get_props().get("model_path")
        if not isinstance(told, str):
            raise self.failure("It does not name its model.")
        if Path(told).name != self._model_path.name:
            raise self.failure(f"It has loaded another model: {Path(told).name}.")


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """Have the leash hand on a SIGTERM; Windows knows only one way to end."""
    if hasattr(os, "killpg"):
        process.terminate()
    else:
        _let_go(process)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close the leash's pipe: it kills the child and whatever that has started."""
    if process.stdin is not None:
        process.stdin.close()
