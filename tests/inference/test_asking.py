"""Whatever a server sends, and however slowly, asking it ends in time and within bounds."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cinecut.inference.asking import NoReplyError, within

PATIENCE_S = 30.0


def test_work_that_takes_too_long_is_given_up() -> None:
    ended = threading.Event()

    def work(given_up: threading.Event) -> None:
        given_up.wait(PATIENCE_S)
        ended.set()

    with pytest.raises(NoReplyError):
        within(0.05, work)
    assert ended.wait(PATIENCE_S), "it was not told that it had been given up"


STANDS_STILL = """
import os, signal, subprocess, sys, threading
from cinecut.inference.asking import within
wake = "import os, signal, sys, time; time.sleep(1.5); os.kill(int(sys.argv[1]), signal.SIGCONT)"
def work(_given_up):
    sleeper = subprocess.Popen([sys.executable, "-c", wake, str(os.getpid())])
    os.kill(os.getpid(), signal.SIGSTOP)
    threading.Event().wait(0.1)
    sleeper.wait()
    return "done"
print(within(1.0, work))
"""


def test_time_in_which_this_process_stands_still_does_not_count() -> None:
    """As after Ctrl-Z and fg: it stands still for longer than the work may take."""
    done = subprocess.run(
        [sys.executable, "-c", STANDS_STILL],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert done.stdout == "done\n"


def test_what_work_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        within(PATIENCE_S, lambda _: 1 / 0)
    assert within(PATIENCE_S, lambda _: 7) == 7
