"""Runs a command that ends when the process that started it ends, however that happens.

Used as a program of its own, `python leash.py PARENT_PID COMMAND...`, so that it can set itself
up between fork and exec without running Python in a forked copy of a threaded process.

On Linux the kernel keeps the promise: PR_SET_PDEATHSIG survives exec, and leash.py becomes the
command. The signal follows the *thread* that started it, so that thread must live as long as the
command. Elsewhere leash.py stays in between and holds a pipe: its end of input means that the
parent is gone.
"""

import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Run the command of the arguments on a leash."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        _become(parent, command)
    else:
        sys.exit(_run_until_end_of_input(command))


def _become(parent: int, command: list[str]) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was armed
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"error: {command[0]} cannot be run: {error.strerror}")


def _run_until_end_of_input(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())

    def end_with_parent() -> None:
        # Not through sys.stdin: Python cannot end while a thread reads from that.
        while os.read(0, 4096):
            pass
        child.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    main()
