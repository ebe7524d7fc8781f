"""Reads the few facts that CineCut needs from the header of a GGUF file.

The `gguf` package reads every array eagerly: seconds for a large vocabulary, on every start.
This reader passes over long arrays and stops after the metadata, which takes milliseconds.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from cinecut.errors import ModelError
from cinecut.files import open_file

_SCALARS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING: Final = 8
_ARRAY: Final = 9
_LONGEST_STRING: Final = 1 << 24
_MOST_ENTRIES: Final = 1 << 16
_LONGEST_KEPT_ARRAY: Final = 1024


@dataclass(frozen=True)
class GgufHeader:
    """The metadata of one GGUF file, arrays of strings and long arrays left out."""

    path: Path
    size_bytes: int
    metadata: dict[str, Any]

    @property
    def architecture(self) -> str:
        """What kind of model it is: `clip` for an mmproj, else the language model's name."""
        return str(self.metadata.get("general.architecture", ""))

    def number(self, key: str) -> int | None:
        """Return a whole number from the metadata, or None where it is not told."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_gguf_header(path: Path) -> GgufHeader:
    """Read the metadata of the GGUF file at `path`.

    Raises:
        ModelError: There is no such file, it is no GGUF file, or it ends too early.
    """
    try:
        with open_file(path) as file:
            return GgufHeader(path, path.stat().st_size, _read_metadata(file))
    except (OSError, EOFError, ValueError, struct.error) as error:
        if isinstance(error, FileNotFoundError):
            reason = "There is no such file."
        elif isinstance(error, OSError):
            reason = error.strerror or str(error)
        else:
            reason = str(error)
        raise ModelError(path, reason) from error


def _read_metadata(file: BinaryIO) -> dict[str, Any]:
    if file.read(4) != b"GGUF":
        raise ValueError("It is no GGUF file.")
    version = _scalar(file, "<I")
    if version not in (2, 3):
        raise ValueError(f"It is a GGUF file of version {version}; 2 and 3 are known.")
    _scalar(file, "<Q")  # number of tensors
    entries = _scalar(file, "<Q")
    if entries > _MOST_ENTRIES:
        raise ValueError("Its header is damaged.")
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key = _string(file)
        value = _value(file, _scalar(file, "<I"))
        if value is not None:
            metadata[key] = value
    return metadata


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        return _scalar(file, _format_of(kind))
    kind, count = _scalar(file, "<I"), _scalar(file, "<Q")
    if kind == _STRING:
        for _ in range(count):
            _skip(file, _scalar(file, "<Q"))
    elif count <= _LONGEST_KEPT_ARRAY:
        return tuple(_scalar(file, _format_of(kind)) for _ in range(count))
    else:
        _skip(file, count * struct.calcsize(_format_of(kind)))
    return None


def _format_of(kind: int) -> str:
    if kind not in _SCALARS:  # arrays of arrays are allowed by the format and used by nobody
        raise ValueError("Its header is damaged.")
    return _SCALARS[kind]


def _string(file: BinaryIO) -> str:
    length = _scalar(file, "<Q")
    if length > _LONGEST_STRING:
        raise ValueError("Its header is damaged.")
    return _exactly(file, length).decode("utf-8", errors="replace")


def _scalar(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, _exactly(file, struct.calcsize(form)))[0]


def _skip(file: BinaryIO, length: int) -> None:
    if length < 1 << 12:  # within the read-ahead buffer, cheaper than a seek
        _exactly(file, length)
    elif length < 1 << 32:
        file.seek(length, 1)
    else:
        raise ValueError("Its header is damaged.")


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError("It ends in the middle of its header: the download may be incomplete.")
    return data
