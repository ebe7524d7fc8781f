"""Subtitles are found as players find them, and only dialogue counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from films import make_film, mux_subtitles, still

from cinecut.errors import SubtitlesError
from cinecut.film.dialogue.sidecars import look_beside

SRT = """1
00:00:01,000 --> 00:00:02,000
Grüße, мир

2
00:00:03,000 --> 00:00:03,500
<i>Second</i>
"""
MIDDLES = [1.48, 3.24]
"""Times of the frames at 25 a second that are on the screen at 1.5 and 3.25 seconds."""

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Broken,Arial,twelve

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hello
Comment: 0,0:00:02.20,0:00:02.60,Default,,0,0,0,,A comment
Dialogue: 0,0:00:02.20,0:00:02.60,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}
Dialogue: 0,0:00:02.20,0:00:02.60,Sign,,0,0,0,,{\\pos(10,20)}BAKERY
Dialogue: 0,0:00:02.20,0:00:02.60,Song,,0,0,0,,{\\k20}la {\\k30}la
Dialogue: 0,0:00:02.20,0:00:02.60,Song,,0,0,0,Karaoke,la
Dialogue: 0,0:00:02.20,0:00:02.60,Default,,0,0,0,,♪ ♪
Dialogue: 0,oops,0:00:02.60,Default,,0,0,0,,Broken
Dialogue: 0,0:00:03.00,0:00:03.50,Default,,0,0,0,,{\\an8}World
"""
VTT = """WEBVTT

00:01.000 --> 00:02.000 align:start
Hello

00:03.000 --> 00:03.500
World
"""
MICRODVD = "{25}{50}Hello|there\n{75}{87}World\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    thumbs = [thumb for seed in range(10) for thumb in still(seed, 13)]
    return make_film(tmp_path_factory.mktemp("source") / "movie.mkv", thumbs)


@pytest.fixture
def film(source: Path, tmp_path: Path) -> Path:
    path = tmp_path / "films" / "Movie.mkv"
    path.parent.mkdir()
    path.write_bytes(source.read_bytes())
    return path


def subtitle_times(scan: Callable, film: Path, **settings: object) -> list[float]:
    records, _ = scan(film, **settings)
    return [r.timestamp_s for r in records if r.source == "subtitle_midpoint"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("movie.srt", SRT),
        ("MOVIE.EN.SRT", SRT),
        ("Movie.pt-BR.forced.ass", ASS),
        ("movie.English.vtt", VTT),
        ("movie.sub", MICRODVD),
    ],
)
@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_a_subtitle_file_beside_the_film_is_used(
    film: Path, scan: Callable, name: str, text: str, speed: str
) -> None:
    film.with_name(name).write_text(text, encoding="utf-8")

    records, report = scan(film, scan=speed)

    assert report.subtitle_source == name
    times = [r.timestamp_s for r in records if r.source == "subtitle_midpoint"]
    assert times == pytest.approx(MIDDLES, abs=0.001 if speed == "full" else 1.01)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1251", "utf-16-be", "shift_jis"])
def test_the_encoding_of_a_file_does_not_matter(film: Path, scan: Callable, encoding: str) -> None:
    text = SRT.replace(
        "Grüße, мир", "мир, мир и мир" if encoding != "shift_jis" else "こんにちは世界"
    )
    data = text.encode(encoding)
    film.with_suffix(".srt").write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + data)

    assert subtitle_times(scan, film) == pytest.approx(MIDDLES)


def test_the_wanted_language_comes_first_then_the_plain_name(film: Path) -> None:
    for name in ("movie.srt", "movie.en.srt", "movie.fre.srt", "movie.fre.forced.srt"):
        film.with_name(name).touch()
    for stranger in ("movie 2.srt", "movie.cut.srt", "other.srt", "movie.txt"):
        film.with_name(stranger).touch()

    def found(language: str | None) -> list[str]:
        return [path.name for path in look_beside(film, language).usable]

    assert found(None)[0] == "movie.srt"
    assert found("French")[:2] == ["movie.fre.srt", "movie.fre.forced.srt"]
    assert found("en")[0] == "movie.en.srt"
    assert len(found(None)) == 4


def test_one_look_through_a_folder_serves_all_its_films(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"{number}.mp4").touch()
        (tmp_path / f"{number}.EN.srt").touch()
    os.utime(tmp_path, (1, 1))
    looks, look = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looks.append(folder) or look(folder))

    found = [look_beside(tmp_path / f"{number}.mp4", None).usable for number in range(50)]

    assert found == [[tmp_path / f"{number}.EN.srt"] for number in range(50)]
    assert len(looks) == 1
    (tmp_path / "7.srt").touch()
    assert look_beside(tmp_path / "7.mp4", None).usable[0] == tmp_path / "7.srt"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mkv", "srt"), (".mkv", "ass"), (".mp4", "mov_text"), (".mkv", "webvtt")],
)
def test_a_text_track_inside_the_film_is_used(
    source: Path, tmp_path: Path, scan: Callable, suffix: str, codec: str
) -> None:
    lines = [(1.0, 2.0, "Hello"), (3.0, 3.5, "World")]
    film = mux_subtitles(source, tmp_path / f"inside{suffix}", codec, lines)

    records, report = scan(film)

    assert [r.timestamp_s for r in records if r.source == "subtitle_midpoint"] == pytest.approx(
        MIDDLES
    )
    assert report.subtitle_source is not None
    assert codec[:3] in report.subtitle_source or codec == "ass"


def test_a_track_in_the_wanted_language_comes_before_a_file_in_another(
    source: Path, tmp_path: Path, scan: Callable
) -> None:
    lines = [(1.0, 2.0, "Bonjour"), (3.0, 3.5, "monde")]
    film = mux_subtitles(source, tmp_path / "movie.mkv", "srt", lines, language="fre")
    film.with_name("movie.en.srt").write_text("1\n00:00:00,500 --> 00:00:00,600\nHello\n")

    def chosen(**settings: object) -> tuple[str | None, list[str]]:
        _, report = scan(film, **settings)
        return report.subtitle_source, report.notices

    assert chosen() == ("movie.en.srt", [])
    assert chosen(subtitle_language="en") == ("movie.en.srt", [])
    source, notices = chosen(subtitle_language="fr")
    assert source == "track 1 (srt, fre)"
    assert [notice for notice in notices if "not used: movie.en.srt." in notice] == notices
    source, notices = chosen(subtitle_language="de")
    assert source == "movie.en.srt"
    assert notices == ["There are no subtitles in 'de'; the times of movie.en.srt are used."]


def test_events_outside_the_film_lose_nothing_else(film: Path, scan: Callable) -> None:
    strange = """
3
00:00:02,500 --> 00:00:02,500
No time at all

4
00:00:02,600 --> 00:00:02,400
Backwards

5
-00:00:05,000 --> -00:00:03,000
Before the film

6
01:00:00,000 --> 01:00:02,000
After the film
"""
    film.with_suffix(".srt").write_text(SRT + strange, encoding="utf-8")

    records, report = scan(film)

    times = [r.timestamp_s for r in records if r.source == "subtitle_midpoint"]
    assert times == pytest.approx(MIDDLES)
    assert sum("broken" in notice for notice in report.notices) == 1


def test_an_unknown_encoding_is_an_error_when_named_and_a_notice_when_found(
    film: Path, tmp_path: Path, scan: Callable
) -> None:
    noise = bytes((i * i * 37 + i * 91) % 256 for i in range(4000))
    named = tmp_path / "noise.srt"
    named.write_bytes(noise)
    film.with_suffix(".srt").write_bytes(noise)

    with pytest.raises(SubtitlesError):
        scan(film, subtitles=named)
    records, report = scan(film)

    assert records
    assert sum("passed over" in notice for notice in report.notices) == 1


def test_a_missing_named_file_is_an_error(film: Path, tmp_path: Path, scan: Callable) -> None:
    with pytest.raises(SubtitlesError, match="No such file"):
        scan(film, subtitles=tmp_path / "missing.srt")


def test_subtitles_can_be_left_out(film: Path, scan: Callable) -> None:
    film.with_suffix(".srt").write_text(SRT, encoding="utf-8")

    assert subtitle_times(scan, film, use_subtitles=False) == []
