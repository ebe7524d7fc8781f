"""What people call a film works, or one sentence says what to give instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from films import Look, index_of, make_film, paint, picture, still

from cinecut.errors import FilmError
from cinecut.film.identity import identify

ANIMATED = {
    "moving.gif": Look(codec="gif", pix_fmt="rgb8", options={}),
    "moving.apng": Look(codec="apng", pix_fmt="rgb24", options={}),
    "moving.png": Look(codec="apng", pix_fmt="rgb24", options={}),
}


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animated_picture_is_a_film(tmp_path: Path, scan: Callable, name: str) -> None:
    made = tmp_path / Path(name).with_suffix(".gif" if name.endswith("gif") else ".apng")
    film = make_film(made, [*still(1, 50), *still(2, 50)], ANIMATED[name])
    film = film.rename(tmp_path / name)

    records, _ = scan(film)

    shown = [index_of(Path(record.frame_path).read_bytes()) for record in records]
    assert [index // 50 for index in shown] == [0, 1]
    assert [round(record.timestamp_s * 25) for record in records] == shown


@pytest.mark.parametrize("name", ["one.png", "one.jpg", "one.webp"])
def test_a_still_picture_is_a_film_of_one_frame(tmp_path: Path, scan: Callable, name: str) -> None:
    paint(picture(1), 7, (320, 180)).to_image().save(tmp_path / name)

    records, _ = scan(tmp_path / name)

    assert [record.timestamp_s for record in records] == [0.0]
    assert index_of(Path(records[0].frame_path).read_bytes()) == 7


def animated_webp(folder: Path) -> Path:
    path = folder / "moving.webp"
    path.write_bytes(
        b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x3f\x01\0\xb3\0\0ANIM\x06\0\0\0" + bytes(99)
    )
    return path


def disc_image(folder: Path) -> Path:
    path = folder / "disc.iso"
    path.write_bytes(bytes(2**16))
    return path


def dvd(folder: Path) -> Path:
    (folder / "MOVIE" / "VIDEO_TS").mkdir(parents=True)
    return folder / "MOVIE"


def blu_ray(folder: Path) -> Path:
    (folder / "MOVIE" / "BDMV" / "STREAM").mkdir(parents=True)
    return folder / "MOVIE" / "BDMV"


def playlist_of_the_network(folder: Path) -> Path:
    path = folder / "live.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n")
    return path


@pytest.mark.parametrize(
    ("make", "reason", "tip"),
    [
        (animated_webp, "an animated WebP", "GIF"),
        (disc_image, "the image of a disc", "Mount it"),
        (dvd, "the folder of a DVD", "--recursive"),
        (blu_ray, "the folder of a Blu-ray disc", "BDMV/STREAM"),
        (playlist_of_the_network, "a playlist", "downloaded first"),
    ],
)
def test_what_is_no_film_gets_one_sentence_on_what_to_give_instead(
    tmp_path: Path, scan: Callable, make: Callable[[Path], Path], reason: str, tip: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(FilmError) as told:
        scan(path)

    assert reason in told.value.reason
    assert tip in str(told.value)
    if path.is_dir():  # `describe` asks for the identity first
        with pytest.raises(FilmError) as told:
            identify(path)
        assert reason in told.value.reason
    assert not (tmp_path / "frames").exists()


LISTS = {
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n",
    "with a key": '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="{}"\n#EXTINF:2,\none.ts\n',
    "of playlists": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ninner.m3u8\n",
    "of concat": "ffconcat version 1.0\nfile one.ts\nfile '{}'\n",
}


@pytest.mark.skipif(os.name == "nt", reason="named pipes lie elsewhere on Windows")
@pytest.mark.parametrize("form", LISTS)
def test_what_a_list_names_is_never_waited_for(tmp_path: Path, scan: Callable, form: str) -> None:
    make_film(tmp_path / "one.ts", still(1, 50))
    os.mkfifo(tmp_path / "pipe.ts")
    film = tmp_path / "film.m3u8"
    film.write_text(LISTS[form].format("pipe.ts"))
    (tmp_path / "inner.m3u8").write_text(LISTS["playlist"].format("pipe.ts"))

    with pytest.raises(FilmError, match=r"It is a list in which pipe\.ts is a named pipe"):
        scan(film)


def test_a_playlist_of_files_beside_it_is_the_film_that_they_are(
    tmp_path: Path, scan: Callable
) -> None:
    make_film(tmp_path / "one.ts", still(1, 50))
    playlist = tmp_path / "film.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\none.ts\n#EXT-X-ENDLIST\n")

    records, _ = scan(playlist)

    assert index_of(Path(records[0].frame_path).read_bytes()) < 50
