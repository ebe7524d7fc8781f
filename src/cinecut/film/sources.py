"""Tells what a path holds that is no film by itself, and what to give instead."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cinecut.files import open_file

_DISC_INFO = frozenset({".ifo", ".bup", ".mpls", ".clpi", ".bdmv"})
_PLAYLISTS = frozenset({".m3u8", ".m3u", ".pls", ".xspf"})
_LOOKED_AT_BYTES = 1 << 16


class Instead(NamedTuple):
    """What it is, and what to do about it."""

    reason: str
    tip: str


def instead_of_folder(folder: Path) -> Instead:
    """Return what to give instead of `folder`: a disc's folders are known."""
    names = {path.name.upper() for path in _inside(folder)} | {folder.name.upper()}
    if "VIDEO_TS" in names:
        return Instead(
            "It is the folder of a DVD.",
            "Look through it: cinecut describe --recursive FOLDER; each title set is one film.",
        )
    if "BDMV" in names:
        return Instead(
            "It is the folder of a Blu-ray disc.",
            "Give the largest file in BDMV/STREAM: cinecut describe BDMV/STREAM/00001.m2ts",
        )
    return Instead("It is a folder.", "Look through it: cinecut describe --recursive FOLDER")


def instead_of_file(path: Path) -> Instead | None:
    """Return what to give instead of a file in which no film was found; None if nobody knows."""
    suffix = path.suffix.lower()
    if suffix in {".iso", ".img", ".udf"}:
        return Instead(
            "It is the image of a disc.",
            "Mount it and give the film inside: the largest file in BDMV/STREAM, or the first VOB "
            "file of a title set in VIDEO_TS, such as VTS_01_1.VOB.",
        )
    if suffix in _DISC_INFO:
        return Instead(
            "It only tells what is on a disc.",
            "Give the film itself: VTS_01_1.VOB of VIDEO_TS, or the largest file in BDMV/STREAM.",
        )
    if suffix in _PLAYLISTS:
        return Instead(
            "It is a playlist, and what it lists does not lie beside it or is no film.",
            "Give the film itself; one on the network must be downloaded first.",
        )
    if _begins(path, b"RIFF", b"WEBP") and b"ANIM" in _start(path):
        return Instead(
            "It is an animated WebP, which FFmpeg does not decode.",
            "Make a GIF or a film of it first, such as: magick movie.webp movie.gif",
        )
    return None


def lists_the_network(path: Path) -> bool:
    """Say whether `path` is a playlist that names an address."""
    if path.suffix.lower() not in _PLAYLISTS:
        return False
    lines = _start(path, _LOOKED_AT_BYTES).splitlines()
    return any(b"://" in line and not line.startswith((b"#", b"file:")) for line in lines)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _start(path: Path, most: int = 64) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(most)
    except OSError:
        return b""


def _begins(path: Path, head: bytes, at_8: bytes) -> bool:
    start = _start(path)
    return start.startswith(head) and start[8:12] == at_8
