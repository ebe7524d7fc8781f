"""Writes the pictures that CineCut draws itself (PNG specification, W3C, 2003)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2


def grey_png(width: int, height: int) -> bytes:
    """Return a black picture, of a few hundred bytes."""
    return _png(width, [bytes(width)] * height, _GREY)


def colour_png(rows: Sequence[Sequence[tuple[int, int, int]]]) -> bytes:
    """Return a picture of these pixels, each red, green and blue from 0 to 255."""
    return _png(
        len(rows[0]), [bytes(value for pixel in row for value in pixel) for row in rows], _RGB
    )


def _png(width: int, rows: Sequence[bytes], colours: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, len(rows), 8, colours, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))  # 0: no filter
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
