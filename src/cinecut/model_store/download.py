"""Gets a file of the hub onto the disk: whole, with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, Final

from cinecut.errors import DownloadError
from cinecut.files import open_file
from cinecut.model_store.hub import RemoteFile, append_missing

OnBytes = Callable[[int], None]
"""Told how many bytes of a file are here, or have been compared."""

_CHUNK_BYTES: Final = 1 << 20
_GGUF: Final = b"GGUF"
"""What every model file begins with."""


def fetch(remote: RemoteFile, target: Path, on_bytes: OnBytes, on_compare: OnBytes) -> None:
    """Load a file from the hub to `target`, which appears only once it is whole and right.

    What was loaded of it lies beside `target` as `NAME.ETAG.partial`; a call that ends early, in
    whatever way, is gone on with by the next one.

    Args:
        remote: The file, as the hub has it.
        target: Where it shall be.
        on_bytes: Told while it is loaded.
        on_compare: Told while its checksum is computed.

    Raises:
        DownloadError: The hub or the connection fails, the disk is full or cannot be written,
            what comes is no GGUF file and not kept, or the checksum is not the one that the hub
            tells; then the file is removed.
    """
    partial = target.with_name(f"{target.name}.{_in_a_name(remote.etag)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for other in target.parent.glob(f"{escape(target.name)}.*.partial"):
            is_ours = other == partial and not other.is_symlink()
            if not is_ours or other.stat().st_size > remote.size_bytes:
                other.unlink()
        with suppress(FileExistsError):
            open_file(partial, "xb").close()
        with (
            open_file(partial, "a+b", follow_links=False) as opened,
            _Watched(opened.fileno(), on_bytes) as file,
        ):
            _check_room(remote, file.tell(), target.parent)
            append_missing(remote, file)
        if not is_intact(partial, remote, on_compare):
            partial.unlink()
            raise DownloadError(
                remote.path,
                f"Its checksum is not the one that the hub tells for it in {remote.repo}. "
                "The file was removed.",
                check="That no proxy stands between this machine and the hub.",
                tip="Run the same command again; if it ends in the same way, take another model: "
                "cinecut models list",
            )
        partial.replace(target)
    except _NoGgufError as error:
        partial.unlink()
        raise DownloadError(
            remote.path,
            f"What came is no GGUF file: it begins with {error.start!r}. Most likely it is the "
            "login page of a network, or a proxy's own page.",
            check="What a browser shows at the hub's address: https://huggingface.co, or "
            "HF_ENDPOINT.",
            tip="Log in to the network or set HF_ENDPOINT right, then run the same command again.",
        ) from error
    except OSError as error:
        raise _disk_error(target, error) from error


def is_intact(path: Path, remote: RemoteFile, on_compare: OnBytes) -> bool:
    """Say whether a file is a GGUF file with the size and the checksum of `remote`.

    Where the hub tells no checksum, the size is enough.

    Raises:
        DownloadError: The file cannot be read.
    """
    try:
        digest, compared = hashlib.sha256(), 0
        with open_file(path) as file:
            size_bytes, start = path.stat().st_size, file.read(len(_GGUF))
            if size_bytes != remote.size_bytes or start != _GGUF:
                return False
            if remote.sha256 is None:
                return True
            file.seek(0)
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                compared += len(chunk)
                on_compare(compared)
    except OSError as error:
        raise _disk_error(path, error) from error
    return digest.hexdigest() == remote.sha256


def _in_a_name(etag: str) -> str:
    """Return enough of an etag to know it by; a mirror's may have slashes."""
    return re.sub(r"[^\w-]", "_", etag)[:16]


class _NoGgufError(Exception):
    """What is loaded is no model file."""

    def __init__(self, start: bytes) -> None:
        super().__init__()
        self.start = start.decode(errors="replace")


class _Watched(io.BufferedWriter):
    """A file to append to that tells how long it is, and takes nothing but a GGUF file."""

    def __init__(self, descriptor: int, on_bytes: OnBytes) -> None:
        super().__init__(io.FileIO(descriptor, "ab", closefd=False))
        self._on_bytes = on_bytes
        on_bytes(self.tell())

    def write(self, data: Any, /) -> int:
        begin = _GGUF[self.tell() :]
        if not data.startswith(begin[: len(data)]):
            raise _NoGgufError(data[:40])
        count = super().write(data)
        self._on_bytes(self.tell())
        return count


def _check_room(remote: RemoteFile, here_bytes: int, folder: Path) -> None:
    missing, free = remote.size_bytes - here_bytes, shutil.disk_usage(folder).free
    if missing > free:
        raise DownloadError(
            remote.path,
            f"{missing / 1e9:.1f} GB are missing, and the disk has room for {free / 1e9:.1f} GB.",
            check="df -h",
            tip="Make room, or choose another place: --models-dir DIR",
        )


def _disk_error(path: Path, error: OSError) -> DownloadError:
    return DownloadError(
        path,
        f"The file cannot be written or read: {error.strerror or error}",
        check="That you may write to the models folder, and that its disk has room.",
        tip="Choose another place: --models-dir DIR",
    )
