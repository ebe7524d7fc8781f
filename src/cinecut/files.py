"""Opens and replaces files that a user or a folder names, whatever stands there.

A path may lead to a pipe that never answers, a device, or by a link to somebody else's file.
What is opened here is a regular file, and what is written takes a name and never follows one.
Every error is an `OSError` whose `strerror` tells a person what is in the way.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO, Final, Literal

if sys.platform != "win32":
    import fcntl

_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_JUNCTION: Final = 0xA0000003  # what Windows calls a folder that leads to another one
_MOST_ASIDES: Final = 100
_BEGIN_BYTES: Final = 1024
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class SpecialFileError(OSError):
    """A link, pipe, device or socket stands where a file or a folder of its own was expected."""


def open_file(
    path: Path,
    mode: Literal["rb", "r+b", "a+b", "xb"] = "rb",
    *,
    follow_links: bool = True,
) -> BinaryIO:
    """Open a regular file, without ever waiting for one.

    Args:
        path: The file; only the mode `xb` makes it.
        mode: How, as for `open`.
        follow_links: Whether `path` may be a link to the file: a user's may, a folder's may not.

    Raises:
        SpecialFileError: It is no regular file.
        IsADirectoryError: It is a folder.
        OSError: It is missing or cannot be opened.
    """

    def opener(name: str, flags: int) -> int:
        if mode == "xb":
            return os.open(name, flags | _NO_FOLLOW, 0o666)
        # Looked at before it is opened, which may wait or rewind a tape, and again after.
        _check_is(stat.S_IFREG, path, path.stat(follow_symlinks=follow_links))
        flags = flags & ~os.O_CREAT | _NO_WAIT | (0 if follow_links else _NO_FOLLOW)
        descriptor = os.open(name, flags)
        try:
            _check_is(stat.S_IFREG, path, os.fstat(descriptor))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    return open(path, mode, opener=opener)


def read_file(path: Path, most_bytes: int, *, follow_links: bool = True) -> bytes:
    """Return all of a regular file that has at most so many bytes.

    Raises:
        SpecialFileError: It is no regular file.
        OSError: It is larger, missing, a folder, or cannot be read.
    """
    with open_file(path, follow_links=follow_links) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"{_name(path)} is larger than {most_bytes:,} bytes.", str(path))
    return content


def refuse_special(path: Path, *, follow_links: bool = False) -> None:
    """Make sure that at `path` is a regular file or nothing.

    Raises:
        SpecialFileError: There is something else.
        IsADirectoryError: There is a folder.
    """
    with suppress(FileNotFoundError):
        _check_is(stat.S_IFREG, path, path.stat(follow_symlinks=follow_links))


def refuse_other(path: Path, marks: Sequence[bytes], what: str) -> None:
    """Make sure that at `path` is nothing that nobody meant to give up for a new file.

    Args:
        path: What is about to be replaced.
        marks: All that the begin of such a file has in it, in lower case.
        what: What such a file is, such as `page`.

    Raises:
        SpecialFileError: There is a link, which must stay, or something else that is no file.
        FileExistsError: There is a file of another kind.
        OSError: It cannot be looked at.
    """
    refuse_special(path)
    with suppress(FileNotFoundError), open_file(path) as file:
        begin = file.read(_BEGIN_BYTES).lower()
        if begin and not all(mark in begin for mark in marks):
            raise FileExistsError(
                errno.EEXIST, f"{_name(path)} is there already, and is no {what}.", str(path)
            )


def is_file(path: Path) -> bool:
    """Say whether `path` leads to a regular file; a name that cannot be one does not."""
    try:
        return path.is_file()
    except OSError:  # before Python 3.14 of a name that is too long, or of a loop of links
        return False


def make_folder(path: Path) -> None:
    """Make a folder where none is, and those above it; a link to one is refused.

    Raises:
        SpecialFileError: Something else stands there.
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        path.mkdir(parents=True)
    check_folder(path)


def check_folder(path: Path) -> None:
    """Make sure that `path` is a folder and no link to one.

    Raises:
        SpecialFileError: Something else stands there.
        FileNotFoundError: Nothing does.
    """
    _check_is(stat.S_IFDIR, path, path.lstat())


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file that takes the name `path` when the block ends without an error.

    Until then what was there stands; a link there is replaced and not followed. What a killed
    process has left half written beside `path` is removed.

    Args:
        path: The file to make or to replace.
        sync: Have it on the disk before it takes its name, so that a power cut loses nothing.

    Raises:
        SpecialFileError: `path` is a pipe, a device or a socket, or leads to one.
        OSError: It cannot be written.
    """
    refuse_special(path, follow_links=True)
    aside, file, held = _new_aside(path)
    try:
        with file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    finally:
        if held is not None:
            os.close(held)


def remove_leftovers(folder: Path) -> None:
    """Remove whatever killed processes have left half written in a folder, of any name."""
    for aside in folder.glob(".?*.[0-9]*.part"):
        _remove_if_left(aside)


def _new_aside(path: Path) -> tuple[Path, BinaryIO, int | None]:
    """Make a file beside `path` that nobody else writes, and hold it."""
    asides = islice((path.with_name(f".{path.name}.{n}.part") for n in count()), _MOST_ASIDES)
    for aside in asides:
        _remove_if_left(aside)
        try:
            file = open_file(aside, "xb")
        except FileExistsError:  # it is being written
            continue
        held = _hold(file)
        if not _is_at(aside, file):  # taken for left in the moment before it was held
            _let_go(file, held)
            continue
        for other in asides:
            if not _remove_if_left(other):
                break
        return aside, file, held
    raise OSError(errno.EEXIST, f"{_name(path)} is being written by others.", str(path))


def _hold(file: BinaryIO) -> int | None:
    """Lock a file until what is returned is closed: its writer lives.

    On Windows no file that is open can be removed, which says the same.
    """
    if sys.platform == "win32":
        return None
    held = os.dup(file.fileno())
    with suppress(OSError):  # some network drives know no locks
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _let_go(file: BinaryIO, held: int | None) -> None:
    file.close()
    if held is not None:
        os.close(held)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove_if_left(aside: Path) -> bool:
    """Remove what a dead process has left, or somebody put there; say whether anything was."""
    try:
        is_file = stat.S_ISREG(aside.lstat().st_mode)
    except OSError:
        return False
    with suppress(OSError):  # it is being written, a folder, or nobody can tell
        if sys.platform == "win32" or not is_file:
            aside.unlink()
        else:
            with open_file(aside, "r+b", follow_links=False) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(aside, file):  # and has not just taken its own name
                    aside.unlink()
    return True


def _check_is(wanted: int, path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if getattr(status, "st_reparse_tag", 0) == _JUNCTION:
        kind = stat.S_IFLNK
    if kind == wanted:
        return
    expected = "folder" if wanted == stat.S_IFDIR else "file"
    what = _KINDS.get(kind, "a file" if kind == stat.S_IFREG else "something else")
    reason = f"{_name(path)} is {what} and not a {expected} of its own."
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, reason, str(path))
    raise SpecialFileError(errno.EINVAL, reason, str(path))


def _name(path: Path) -> str:
    return path.name or str(path)
