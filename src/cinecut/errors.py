"""Every error that CineCut raises on purpose.

CineCutError
├── FilmError              a film that cannot be found or read
├── SubtitlesError         a subtitle file that was asked for and cannot be read
├── ModelError             a model or mmproj file that is missing or no GGUF
├── DownloadError          a model that could not be fetched from the hub
├── ServerNotFoundError    no llama-server program on this machine
├── OutputError            results that cannot be written or read
├── WriteError             a file that cannot be written
├── SearchIndexError       an index of scenes that cannot be written or read
├── UsageError             options that contradict each other or are out of range
├── InferenceError         llama-server did not start, died, or answers nothing useful
├── VramError              too little GPU memory, or nobody can tell how much there is
├── ClusterError           a Ray cluster that cannot be reached, or has no worker to offer
└── MachineError           the system has no thread, file, memory or room left to give

An error takes facts, keeps them as attributes and builds its own message: what failed, the
cause, what to check and what to do next. No message holds the path of a home folder or a
character that a terminal would obey.
"""

from __future__ import annotations

import copy
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinecut.text import printable, without_home

if TYPE_CHECKING:
    from typing_extensions import Self


_NAME_TOO_LONG: Final = os.strerror(errno.ENAMETOOLONG)
_IN_THE_WAY: Final = " of its own."  # as cinecut.files tells what stands there


class CineCutError(Exception):
    """An error that the user can understand and mend."""

    def __init__(self, failed: str, *, cause: str, check: str, tip: str) -> None:
        """Build the message from `failed` (what went wrong), `cause`, `check` and `tip`.

        A cause may have several lines (the end of a log); the others are one line each.
        """
        self.failed, self.cause, self.check, self.tip = failed, cause, check, tip
        cause_lines = "\n    ".join(printable(line) for line in cause.splitlines()) or "unknown"
        super().__init__(
            without_home(
                f"{printable(failed)}\n"
                f"  Cause: {cause_lines}\n"
                f"  Check: {printable(check)}\n"
                f"  Tip: {printable(tip)}"
            )
        )

    def on(self, machine: str) -> Self:
        """Return this error as it is told elsewhere: with the name of where it happened."""
        told = copy.copy(self)
        cause = f"On {machine}: {self.cause}"
        CineCutError.__init__(told, self.failed, cause=cause, check=self.check, tip=self.tip)
        return told

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error travel between processes, facts and all."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[CineCutError], args: tuple[Any, ...], facts: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class _FileError(CineCutError):
    """An error about one file: takes the path and the reason, offers what usually helps."""

    what: ClassVar[str]
    check_first: ClassVar[str]
    usual_tip: ClassVar[str]

    def __init__(
        self, path: Path | str, reason: str, *, check: str | None = None, tip: str | None = None
    ) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(
            f"Failed to {self.what} '{self.path.name or self.path}'.",
            cause=reason,
            check=check or self.check_first,
            tip=tip or self.usual_tip,
        )


class FilmError(_FileError):
    """A film that cannot be found, opened or decoded at all."""

    what = "read film"
    check_first = "That the path is right and that a player plays the file."
    usual_tip = "Give the path of a video file, such as: cinecut describe movie.mkv"


class SubtitlesError(_FileError):
    """A subtitle file that the user named and that cannot be used."""

    what = "read subtitles"
    check_first = "That the file is an SRT, ASS, WebVTT or MicroDVD text file."
    usual_tip = "Leave --subtitles out, or go on without any: --no-subtitles"


class ModelError(_FileError):
    """A model or mmproj file that is missing, damaged or of the wrong kind."""

    what = "use model file"
    check_first = "That the file is a whole GGUF file: it begins with the four letters GGUF."
    usual_tip = "Name both halves: --model model.gguf --mmproj mmproj.gguf"


class DownloadError(_FileError):
    """A file that could not be fetched from the hub, or that came damaged."""

    what = "download"
    check_first = "That this machine reaches the hub: https://huggingface.co, or HF_ENDPOINT."
    usual_tip = "Run the same command again: it goes on where it stopped."


class OutputError(_FileError):
    """Results that cannot be written, read or resumed."""

    what = "use results"
    check_first = "That the folder exists, that you may write to it, and that the disk has room."
    usual_tip = "Choose another place: --output-dir DIR, or copy the results folder to one."

    def __init__(
        self, path: Path | str, reason: str, *, check: str | None = None, tip: str | None = None
    ) -> None:
        if reason == _NAME_TOO_LONG:  # another place would not help
            check = check or "How long the name is: its folder's has .cinecut at the end."
            tip = tip or "Give the film a shorter name, or a link to it: ln -s FILM short.mkv"
        elif reason.endswith(_IN_THE_WAY):
            check = check or "Who made it, if you did not."
            tip = tip or "Move what is there away, and run the same command again."
        super().__init__(path, reason, check=check, tip=tip)


class WriteError(_FileError):
    """A file of the user's own choice that cannot be written."""

    what = "write"
    check_first = "What the path names, whether its folder is there, and that the disk has room."
    usual_tip = "Have it elsewhere: --output FILE, or replace what is there: --overwrite"


class SearchIndexError(_FileError):
    """An index of scenes that cannot be written or read."""

    what = "use the index"
    check_first = "That its folder can be written and its disk has room (XDG_CACHE_HOME, HOME)."
    usual_tip = "Keep the index elsewhere: --index FILE"


class ServerNotFoundError(CineCutError):
    """No llama-server program was found, or the one named is not there."""

    def __init__(self, named: str | None = None) -> None:
        """Take the path or name that the user gave, or None when nothing was given."""
        self.named = named
        super().__init__(
            "Failed to find llama-server.",
            cause=(
                f"'{named}' is not a program that can be run."
                if named
                else "No llama-server on the PATH, and the package's own is not installed."
            ),
            check="llama-server --version",
            tip="pip install 'cinecut[server]' (Linux x86-64), brew install llama.cpp, "
            "or name yours: --llama-server PATH",
        )


class UsageError(CineCutError):
    """Options that contradict each other or have a value outside their range."""

    def __init__(
        self, problem: str, *, tip: str = "cinecut COMMAND --help lists every option."
    ) -> None:
        """Take the problem as one sentence."""
        self.problem = problem
        super().__init__(
            "Failed to understand the command.",
            cause=problem,
            check="The options and their values.",
            tip=tip,
        )


class _DetailError(CineCutError):
    """An error about one thing: takes what was found as `detail`, offers what usually helps."""

    title: ClassVar[str]
    check_first: ClassVar[str]
    usual_tip: ClassVar[str]

    def __init__(self, detail: str, *, check: str | None = None, tip: str | None = None) -> None:
        self.detail = detail
        super().__init__(
            self.title, cause=detail, check=check or self.check_first, tip=tip or self.usual_tip
        )


class InferenceError(_DetailError):
    """llama-server did not start, died for good, or cannot describe pictures."""

    title = "LLaVA inference engine error."
    check_first = "The results folder's llama-server.log, and: cinecut doctor"
    usual_tip = "Run the same command again: what is done is kept."


class VramError(_DetailError):
    """Too little free GPU memory, or an amount that nobody can tell."""

    title = "Insufficient VRAM for LLaVA inference."
    check_first = "nvidia-smi, for what else is using the GPU."
    usual_tip = (
        "Close other GPU programs, use a smaller model, or run without the GPU: --device cpu"
    )


class ClusterError(_DetailError):
    """A Ray cluster that cannot be reached, or has no worker to offer."""

    title = "Failed to use the cluster."
    check_first = "ray status, on a machine of the cluster."
    usual_tip = "Start one with ray start, or use this machine alone: --cluster local"


class MachineError(_DetailError):
    """The system has no thread, process, open file, memory or room left to give."""

    title = "Failed to go on: this machine has not what it takes."
    check_first = "The limits, the memory and the disks: ulimit -a; free; df -h"
    usual_tip = "End other programs or raise the limit, then run the same command again."

    @classmethod
    def of(cls, error: BaseException) -> MachineError | None:
        """Return what `error` says of the machine; None for one that is about something else."""
        if isinstance(error, MemoryError):
            return cls("There is no memory left.")
        # The threading module has no kind of error of its own.
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return cls("No more threads or processes may be started.")
        if isinstance(error, OSError) and error.errno in _NO_MORE_FILES:
            tip = "ulimit -n 1024, then the same command again."
            return cls(f"The system says: {error.strerror}.", check="ulimit -n", tip=tip)
        if isinstance(error, OSError) and error.errno in _AT_ITS_END:
            return cls(f"The system says: {error.strerror}.")
        return None


def _numbers(*names: str) -> frozenset[int]:
    return frozenset(getattr(errno, name, -1) for name in names)  # some systems lack some


_NO_MORE_FILES: Final = _numbers("EMFILE", "ENFILE")
_AT_ITS_END: Final = _numbers("EAGAIN", "ENOMEM", "ENOSPC", "EDQUOT", "EIO", "EROFS")
