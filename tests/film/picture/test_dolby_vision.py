"""A film whose colours nobody can show here is not described without a word."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from films import Look, make_film, still

X265 = {"preset": "ultrafast", "x265-params": "log-level=none"}
AROUND = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hev1")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    look = Look(codec="libx265", pix_fmt="yuv420p10le", options=X265)
    return make_film(tmp_path_factory.mktemp("source") / "film.mp4", still(1, 25), look)


def in_dolby_vision(source: Path, path: Path, profile: int, compatible_with: int) -> Path:
    """Put a `dvcC` box behind `hvcC`: the index comes last, so no offset in it changes."""
    data = bytearray(source.read_bytes())
    assert data.find(b"mdat") < data.find(b"moov")
    facts = (profile << 9) | (1 << 3) | 0b101  # level 1, with RPU and base layer
    name = b"dvcC" if profile <= 7 else b"dvvC"
    box = struct.pack(">I4sBBHB", 32, name, 1, 0, facts, compatible_with << 4).ljust(32, b"\0")
    at = data.find(b"hvcC") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    data[end:end] = box
    for around in AROUND:
        at = data.find(around, data.find(b"moov")) - 4
        data[at : at + 4] = struct.pack(">I", int.from_bytes(data[at : at + 4], "big") + len(box))
    path.write_bytes(data)
    return path


def test_colours_of_its_own_get_a_notice_in_every_container(
    tmp_path: Path, source: Path, scan: Callable
) -> None:
    film = in_dolby_vision(source, tmp_path / "film.mp4", 5, 0)
    with av.open(str(film)) as container, av.open(str(tmp_path / "film.mkv"), "w") as copy:
        stream = copy.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)

    for path in (film, tmp_path / "film.mkv"):
        (notice,) = scan(path)[1].notices
        assert notice.startswith("It is in Dolby Vision, profile 5, whose colours")
        assert "libplacebo" in notice


def test_a_film_with_ordinary_colours_underneath_gets_none(
    tmp_path: Path, source: Path, scan: Callable
) -> None:
    film = in_dolby_vision(source, tmp_path / "film.mp4", 8, 1)

    for path in (film, source):
        assert scan(path)[1].notices == []
