"""Which kinds of film this build of PyAV can decode."""

from __future__ import annotations

from typing import Final

import av

# Each with the decoders that do it in software; FFmpeg's own for AV1 needs a GPU.
COMMON_CODECS: Final = {
    "H.264": ("h264",),
    "HEVC": ("hevc",),
    "VP8": ("vp8", "libvpx"),
    "VP9": ("vp9", "libvpx-vp9"),
    "AV1": ("libdav1d", "libaom-av1"),
    "MPEG-2": ("mpeg2video",),
    "MPEG-4": ("mpeg4",),
    "ProRes": ("prores",),
}


def decodable() -> dict[str, bool]:
    """Return of each common codec whether it can be decoded."""
    return {
        name: any(decoder in av.codecs_available for decoder in decoders)
        for name, decoders in COMMON_CODECS.items()
    }


def versions() -> str:
    """Return the versions of PyAV and of FFmpeg's decoding library in it."""
    libavcodec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, libavcodec {libavcodec}"
