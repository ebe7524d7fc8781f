"""Moments are copied: the same packets, from the key picture before on."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from films import Look, index_of, make_film, picture

from cinecut.errors import FilmError, UsageError
from cinecut.film.cutting import Piece, cut_pieces

KEY = 20
FRAMES = 100


def look(suffix: str) -> Look:
    options = {"preset": "ultrafast", "bf": "2", "g": str(KEY), "sc_threshold": "0"}
    return Look(options=options, silence_s=0.0 if suffix == ".ts" else 4.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "film.mkv"
    return make_film(path, [picture(number // 10) for number in range(FRAMES)], look(".mkv"))


def remade(film: Path, suffix: str) -> Path:
    path = film.with_suffix(suffix)
    if not path.exists():
        make_film(path, [picture(number // 10) for number in range(FRAMES)], look(suffix))
    return path


def cut(tmp_path: Path, suffix: str, *pieces: Piece) -> Path:
    path = tmp_path / f"clip{suffix}"
    with path.open("w+b") as file:
        cut_pieces(pieces, file, suffix, pytest.fail)
    return path


def indices(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        pictures = []
        for frame in container.decode(video=0):
            still = io.BytesIO()
            frame.to_image().save(still, "jpeg")
            pictures.append(index_of(still.getvalue()))
    return pictures


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [p for p in container.demux(stream) if p.pts is not None and p.size]
        return [(float(p.pts * p.time_base), bytes(p)) for p in found]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts"])
def test_a_moment_is_the_films_own_packets(tmp_path: Path, film: Path, suffix: str) -> None:
    source = remade(film, suffix)
    # A film's start is that of its first stream, and the lead-in of sound may be cut off.
    clip = cut(tmp_path, suffix, Piece(source, 1.01, 2.41))
    shown = indices(clip)
    assert shown[0] == KEY
    assert 59 <= shown[-1] <= 61
    assert shown == list(range(shown[0], shown[-1] + 1))
    for kind in ("video", *(("audio",) * (suffix != ".ts"))):  # PCM, which it cannot tell
        whole, taken = packets(source, kind), packets(clip, kind)
        data = [packet for _, packet in whole]
        assert taken
        assert all(packet in data for _, packet in taken)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_pieces_are_joined(tmp_path: Path, film: Path, suffix: str) -> None:
    source = remade(film, suffix)
    clip = cut(tmp_path, suffix, Piece(source, 2.5, 2.8), Piece(source, 0.0, 0.4))
    shown = indices(clip)
    assert shown[0] == 60
    assert 0 in shown
    assert shown[shown.index(0) :][:10] == list(range(10))


def test_films_that_are_coded_differently_are_not_joined(tmp_path: Path, film: Path) -> None:
    other = make_film(tmp_path / "other.mkv", [picture(1)] * 10, Look(size=(160, 90)))
    with pytest.raises(UsageError, match=r"other\.mkv is coded in another way"):
        cut(tmp_path, ".mkv", Piece(film, 0, 1), Piece(other, 0, 1))


def test_what_a_container_cannot_hold_is_told(tmp_path: Path, film: Path) -> None:
    with pytest.raises((UsageError, FilmError), match="webm"):
        cut(tmp_path, ".webm", Piece(film, 0, 1))
