"""Tells one film file from another, in milliseconds whatever its size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cinecut.errors import FilmError
from cinecut.files import open_file
from cinecut.film.discs import parts_of
from cinecut.film.sources import instead_of_folder

_BLOCK_BYTES = 64 * 1024
_BLOCKS = 16


@dataclass(frozen=True)
class FilmIdentity:
    """What a film file is known by: another file under the same name differs in it."""

    size_bytes: int
    mtime_ns: int
    """Time of the last modification, in nanoseconds since the epoch."""
    digest: str
    """BLAKE2b, 32 hexadecimal digits, of the size and of blocks from the start to the end."""


def identify(film: Path, known: Mapping[str, Any] | None = None) -> FilmIdentity:
    """Return the identity of `film`, reading at most 1 MiB of each of its files.

    Args:
        film: The film file.
        known: An earlier identity's fields by name, such as a journal has them; while size and
            time are the same nothing is read and the digest is taken over.

    Raises:
        FilmError: The file is missing, no regular file, or cannot be read.
    """
    try:
        parts = parts_of(film)
        if known is not None and (identity := _unchanged(parts, known)):
            return identity
        digest, size, mtime_ns = hashlib.blake2b(digest_size=16), 0, 0
        for part in parts:
            with open_file(part) as file:
                status = os.fstat(file.fileno())
                _add_to(digest, file, status.st_size)
            size, mtime_ns = size + status.st_size, max(mtime_ns, status.st_mtime_ns)
    except IsADirectoryError as error:
        reason, tip = instead_of_folder(film)
        raise FilmError(film, reason, tip=tip) from error
    except OSError as error:
        raise FilmError(film, error.strerror or str(error)) from error
    except ValueError as error:  # a null character in the name
        raise FilmError(film, str(error)) from error
    return FilmIdentity(size, mtime_ns, digest.hexdigest())


def _add_to(digest: hashlib.blake2b, file: BinaryIO, size: int) -> None:
    digest.update(str(size).encode())
    last = max(0, size - _BLOCK_BYTES)
    for offset in sorted({last * number // (_BLOCKS - 1) for number in range(_BLOCKS)}):
        file.seek(offset)
        digest.update(file.read(_BLOCK_BYTES))


def _unchanged(parts: Sequence[Path], known: Mapping[str, Any]) -> FilmIdentity | None:
    found = [part.stat() for part in parts]
    now = (sum(status.st_size for status in found), max(status.st_mtime_ns for status in found))
    digest = known.get("digest")
    if now == (known.get("size_bytes"), known.get("mtime_ns")) and isinstance(digest, str):
        return FilmIdentity(*now, digest)
    return None
