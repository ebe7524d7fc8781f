"""Brings a frame's colours to what a JPEG means: SDR, full range, BT.601 coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc

from cinecut.film.picture.filters import Filters
from cinecut.film.picture.tonemap import HdrKind, cube_lut

_HDR_TRANSFERS: dict[int, HdrKind] = {
    int(ColorTrc.SMPTE2084): "PQ",
    int(ColorTrc.ARIB_STD_B67): "HLG",
}


def hdr_kind(frame: VideoFrame) -> HdrKind | None:
    """Return what has to be mapped to an ordinary screen, or None for an SDR frame."""
    kind = _HDR_TRANSFERS.get(frame.color_trc)
    if kind is None and frame.color_primaries == ColorPrimaries.BT2020:
        return "BT.2020"
    return kind


def stretch_filters(frame: VideoFrame) -> Filters:
    """Return cheap filters under which changes in an HDR film count as much as in another.

    PQ gives paper white (203 nits, ITU-R BT.2408) the code 0.58 of 1.
    """
    if hdr_kind(frame) != "PQ":
        return ()
    return (("colorlevels", "rimax=0.65:gimax=0.65:bimax=0.65"),)


@contextmanager
def jpeg_colour_filters(frame: VideoFrame) -> Iterator[Filters]:
    """Lend the filters from the frame's colours to those of a JPEG (JFIF 1.02, section 3).

    They read a file while the graph is being built that is gone afterwards.
    """
    to_jpeg: Filters = (("scale", "out_range=pc:out_color_matrix=bt601"), ("format", "yuvj420p"))
    kind = hdr_kind(frame)
    if kind is None:
        yield to_jpeg
        return
    with TemporaryDirectory() as folder:
        table = Path(folder, "lut.cube")
        table.write_text(cube_lut(kind), encoding="ascii")
        plain = "color_primaries=bt709:color_trc=bt709"
        name = table.as_posix().replace(":", "\\:").replace("'", "\\'")
        yield (("format", "gbrp16"), ("lut3d", f"file='{name}'"), ("setparams", plain), *to_jpeg)
