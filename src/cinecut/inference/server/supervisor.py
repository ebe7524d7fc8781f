"""Keeps one llama-server going: starts it anew when it dies or hangs, but not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cinecut.errors import InferenceError
from cinecut.inference.server.child import LlamaServer, UnexplainedEndError
from cinecut.inference.server.launch import Launch

_MOST_RESTARTS_WITHOUT_PROGRESS: Final = 3
_LOOK_AGAIN_S: Final = 0.1


class Supervisor:
    """The owner of the server: one at a time, the same command each time.

    Threads that lose their server call `revive` with the one they lost; the first of them
    restarts it while the others wait, and then all go on with the new one.
    """

    def __init__(
        self,
        launch: Launch,
        log_path: Path,
        model_path: Path,
        *,
        prove: Callable[[LlamaServer], int],
        silence_limit_s: float,
        on_notice: Callable[[str], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Take how to start the server, and how to prove that a started one is fit for use.

        Args:
            launch: The command.
            log_path: Where the server writes; a restarted one writes on.
            model_path: The model that the server must report.
            prove: Raises InferenceError for an unfit server, else returns its number of slots.
            silence_limit_s: Seconds that a loading server may show no sign of life.
            on_notice: Called with one sentence for the user at each restart.
            is_cancelled: Asked while a server starts; True ends that with KeyboardInterrupt.
        """
        self.slots = launch.plan.slots
        self._launch, self._log_path, self._model_path = launch, log_path, model_path
        self._prove, self._silence_limit_s, self._on_notice = prove, silence_limit_s, on_notice
        self._is_cancelled = is_cancelled
        self.alone = threading.Lock()
        """For a picture that has lost its server twice: if it is the cause, let it be alone."""
        self._changing = threading.Lock()
        self._is_closing = False
        self._last_reply_s = time.monotonic()
        self._restarts_without_progress = 0
        self.server = self._new_server()

    def start(self) -> None:
        """Start the server and prove it; raises what `LlamaServer.start` and the proof raise."""
        try:
            self.server.start()
        except UnexplainedEndError:
            # One failed start in thirty loses the end of its log, and the reason with it
            # (measured, build 10434): the second one tells it.
            self.server = self._new_server()
            self.server.start()
        self.slots = self._prove(self.server)
        self._last_reply_s = time.monotonic()

    def stop(self) -> None:
        """End the server for good; threads that wait for its replies lose it at once."""
        self._is_closing = True
        # A restart that is under way gives up when its server is stopped.
        while not self._changing.acquire(timeout=_LOOK_AGAIN_S):
            self.server.stop()
        try:
            self.server.stop()
        finally:
            self._changing.release()

    def note_reply(self) -> None:
        """Take note that the server has answered: it makes progress."""
        self._last_reply_s = time.monotonic()
        self._restarts_without_progress = 0

    def revive(self, lost: LlamaServer, since_s: float, *, is_silent: bool) -> bool:
        """Return whether another server than `lost` is there, starting one if need be.

        Args:
            lost: The server that the caller had.
            since_s: Monotonic time at which the caller asked it.
            is_silent: Whether it did not reply in time; else the connection broke.

        Raises:
            InferenceError: The supervisor was stopped, or the server cannot be started, or has
                failed again and again without one reply in between.
        """
        with self._changing:
            if self._is_closing:
                raise InferenceError("The engine was closed.")
            if self.server is not lost:
                return True
            # Whatever its health says: a server that has answered nobody in all that time hangs.
            hangs = is_silent and self._last_reply_s < since_s
            if lost.is_alive and not hangs and lost.answers():
                return False
            if self._restarts_without_progress >= _MOST_RESTARTS_WITHOUT_PROGRESS:
                raise self._give_up(lost, hangs=hangs)
            self._restarts_without_progress += 1
            # Of one that broke the connection something may be alive for a moment yet.
            what = "hangs" if is_silent and lost.is_alive else "has died"
            self._on_notice(f"llama-server {what}: starting it anew.")
            lost.stop()
            self.server = self._new_server()
            self.start()
            return True

    def _give_up(self, lost: LlamaServer, *, hangs: bool) -> InferenceError:
        times = self._restarts_without_progress + 1
        if not hangs:
            return lost.failure(f"It failed {times} times without one reply in between.")
        return InferenceError(
            f"llama-server was started {times} times and never replied in the time for a frame.",
            tip="Give a frame more time: --timeout SECONDS",
        )

    def _new_server(self) -> LlamaServer:
        return LlamaServer(
            self._launch.command,
            self._launch.environment,
            self._log_path,
            model_path=self._model_path,
            silence_limit_s=self._silence_limit_s,
            is_cancelled=self._is_cancelled,
        )
