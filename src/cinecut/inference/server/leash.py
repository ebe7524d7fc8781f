"""Runs a command that ends, with all that it has started, when whoever started this ends.

Used as a program of its own, `python leash.py COMMAND...`, that stays in between. Its stdin is a
pipe: the end of input means that the parent is gone, however that happened, or wants the end now.
SIGTERM is handed on to the family, which is the command and whatever descends from it. This
process ends when none of them is left, with the exit code of the command, 128 + N for signal N as
in shells.

On Linux it inherits orphans, so nobody leaves the family by a double fork or a session of their
own; and the command dies by the kernel's hand when this process is killed. Elsewhere the family is
the process group, on Windows the command alone.
"""

# ruff: noqa: PTH123, PTH208
# Without pathlib, threading and subprocess, which would cost as much as all the rest of it.

import _thread
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_IS_LINUX = sys.platform == "linux"
_MOST_DESCRIPTORS = 1 << 16
_LOOK_AGAIN_S = 0.02


def main() -> None:
    """Run the command of the arguments on a leash."""
    sys.exit(_Leash().run(sys.argv[1:]) if hasattr(os, "fork") else _hold(sys.argv[1:]))


def family_of(pid: int) -> list[int]:
    """Return the processes that descend from `pid`, the nearest first; none but on Linux."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if _IS_LINUX else ():
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    # After the name in parentheses: the state, then the parent; proc(5).
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):  # it has just ended
                continue
            children.setdefault(parent, []).append(int(name))
    family = [pid]
    for member in family:
        family += children.get(member, [])
    return family[1:]


class _Leash:
    def __init__(self) -> None:
        self._is_asked_to_end = False

    def run(self, command: list[str]) -> int:
        """Start the command, and return its exit code when nobody of the family is left."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # Waited for together: SIGTERM just before os.wait() would be heard when somebody has died.
        awaited = {signal.SIGTERM, signal.SIGCHLD}
        signal.signal(signal.SIGCHLD, lambda *_: None)  # some systems drop what nobody handles
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        leash, first = os.getpid(), os.fork()
        if first == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
            _become(command, leash)
        _thread.start_new_thread(_end_at_end_of_input, ())
        code = 0
        while True:
            if signal.sigwait(awaited) == signal.SIGTERM:
                self._hand_on(signal.SIGTERM)
            try:
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    pid, status = ended
                    if pid == first or code == 0:
                        code = os.waitstatus_to_exitcode(status)
                        code = 128 - code if code < 0 else code
                    # A daemon's parent ends with 0, and from then on the daemon counts.
                    if pid == first and code and _IS_LINUX and not self._is_asked_to_end:
                        _thread.start_new_thread(_end_family, ())
            except ChildProcessError:
                return code

    def _hand_on(self, number: int) -> None:
        self._is_asked_to_end = True
        if _IS_LINUX:
            _signal_family(number)
            return
        signal.signal(number, signal.SIG_IGN)  # this process is of the group, too
        os.killpg(0, number)
        signal.signal(number, signal.SIG_DFL)


def _become(command: list[str], leash: int) -> None:
    """Turn this copy of the process into the command, which inherits neither pipe nor lock."""
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != leash:  # it died before the signal was armed
            os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(3, _MOST_DESCRIPTORS)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"error: {command[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(1)


def _end_at_end_of_input() -> None:
    # Not through sys.stdin: Python cannot end while a thread reads from that.
    while os.read(0, 4096):
        pass
    _end_family()


def _end_family() -> None:
    """Kill until this process ends, as it does with the last one; they may fork meanwhile."""
    while True:
        if _IS_LINUX:
            _signal_family(signal.SIGKILL)
        else:
            os.killpg(0, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S)


def _signal_family(number: int) -> None:
    for pid in family_of(os.getpid()):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _prctl(option: int, value: int) -> None:
    if _IS_LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def _hold(command: list[str]) -> int:
    """Run the command where there are no signals; the end of input ends it alone."""
    import subprocess

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        while os.read(0, 4096):
            pass
        child.kill()

    _thread.start_new_thread(end_with_parent, ())
    return child.wait()


if __name__ == "__main__":
    main()
