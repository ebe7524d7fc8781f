"""Gets a file of the hub onto the disk: whole, with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any, Final

from cinecut.errors import DownloadError
from cinecut.model_store.hub import RemoteFile, append_missing

OnBytes = Callable[[int], None]
"""Told how many bytes of a file are here, or have been compared."""

_CHUNK_BYTES: Final = 1 << 20


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
        DownloadError: The hub or the connection fails, the disk is full or cannot be written, or
            the checksum is not the one that the hub tells; then the file is removed.
    """
    partial = target.with_name(f"{target.name}.{remote.etag[:16]}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for other in target.parent.glob(f"{escape(target.name)}.*.partial"):
            if other != partial or other.stat().st_size > remote.size_bytes:
                other.unlink()
        with _Watched(partial, on_bytes) as file:
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
    except OSError as error:
        raise _disk_error(target, error) from error


def is_intact(path: Path, remote: RemoteFile, on_compare: OnBytes) -> bool:
    """Say whether a file has the size and, where the hub tells one, the checksum of `remote`.

    Raises:
        DownloadError: The file cannot be read.
    """
    try:
        if path.stat().st_size != remote.size_bytes:
            return False
        if remote.sha256 is None:
            return True
        digest, compared = hashlib.sha256(), 0
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                compared += len(chunk)
                on_compare(compared)
    except OSError as error:
        raise _disk_error(path, error) from error
    return digest.hexdigest() == remote.sha256


class _Watched(io.BufferedWriter):
    """A file to append to that tells how long it is."""

    def __init__(self, path: Path, on_bytes: OnBytes) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._on_bytes = on_bytes
        on_bytes(self.tell())

    def write(self, data: Any, /) -> int:
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
