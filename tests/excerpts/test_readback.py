"""What an editor's program reads is what was found: OpenTimelineIO reads it back."""

from __future__ import annotations

import csv
import io
import os
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cut_films import LENGTH_S, TIMES_S, describe, hits_in, small_film
from films import Look, make_film, still

from cinecut.excerpts.formats import render
from cinecut.film.reading.counting import RATES
from cinecut.text import printable

NTSC, NTSC_60 = Fraction(30000, 1001), Fraction(60000, 1001)
ODD_NAMES = ['a "quoted" film\'s name.mkv', "Amélie & 東京 #1.mp4", "new\nline\x1b[2J.mkv"]


@pytest.fixture(scope="module")
def otio() -> Any:
    if os.environ.get("CI") == "true":
        import opentimelineio

        return opentimelineio
    return pytest.importorskip("opentimelineio")


def rendered(name: str, shelf: Path) -> tuple[str, list[str], list[str]]:
    """Return hits in a format, what was noticed and what went wrong."""
    notices: list[str] = []
    errors: list[str] = []
    text = render(
        name, hits_in(shelf), "red car", notices.append, lambda error: errors.append(str(error))
    )
    assert text is not None
    return text, notices, errors


def spans_s() -> list[tuple[float, float]]:
    """Return from when to when each scene at `TIMES_S` stands for its film."""
    halves = [(a + b) / 2 for a, b in pairwise(TIMES_S)]
    return list(zip([0.0, *halves], [*halves, LENGTH_S], strict=True))


def read_edl(otio: Any, text: str, rate: Fraction) -> Any:
    [track] = otio.adapters.read_from_string(text, "cmx_3600", rate=float(rate)).tracks
    assert all(isinstance(clip, otio.schema.Clip) for clip in track), "a gap on the record side"
    return track


def assert_spans(clips: Any, rate: Fraction, first_s: float = 0.0) -> None:
    """Every clip is its scene's span, to half a frame."""
    for clip, (begin_s, end_s) in zip(clips, spans_s(), strict=True):
        span, half_s = clip.source_range, float(1 / rate / 2) + 1e-6
        assert span.start_time.to_seconds() - first_s == pytest.approx(begin_s, abs=half_s)
        end = span.end_time_exclusive().to_seconds() - first_s
        assert end == pytest.approx(end_s, abs=half_s)


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.2f}")
def test_times_are_right_at_every_rate(otio: Any, tmp_path: Path, rate: Fraction) -> None:
    describe(small_film(tmp_path / "film.mp4", rate), *TIMES_S)

    text, notices, errors = rendered("edl", tmp_path)
    timeline = otio.adapters.read_from_string(rendered("otio", tmp_path)[0], "otio_json")

    assert (notices, errors) == ([], [])
    is_drop = rate in {NTSC, NTSC_60}
    assert f"FCM: {'DROP' if is_drop else 'NON-DROP'} FRAME\n" in text
    assert is_drop == bool(re.search(r"\d\d;\d\d ", text))
    assert_spans(read_edl(otio, text, rate), rate)
    assert_spans(timeline.tracks[0], rate)


@pytest.mark.parametrize("timecode", ["01:00:00:00", "01:00:00;00", "10:59:59;28"])
def test_a_films_own_timecode_counts_and_says_whether_numbers_are_dropped(
    otio: Any, tmp_path: Path, timecode: str
) -> None:
    describe(small_film(tmp_path / "camera.mov", NTSC, timecode), *TIMES_S)

    text, _, _ = rendered("edl", tmp_path)
    timeline = otio.adapters.read_from_string(rendered("otio", tmp_path)[0], "otio_json")

    assert ("FCM: NON-DROP" in text) == (";" not in timecode)
    first_s = otio.opentime.from_timecode(timecode, float(NTSC)).to_seconds()
    assert_spans(read_edl(otio, text, NTSC), NTSC, first_s)
    assert_spans(timeline.tracks[0], NTSC, first_s)
    reference = timeline.tracks[0][0].media_reference
    assert reference.available_range.start_time.to_seconds() == pytest.approx(first_s)


def test_a_variable_rate_is_counted_by_the_nearest_one_and_that_is_told(
    otio: Any, tmp_path: Path
) -> None:
    times = [Fraction(step, 1000) for step in (0, 20, 60, 90, 110, 180, 205, 240, 300, 320, 333)]
    look = Look(times=times, size=(64, 48), has_index=False)
    describe(make_film(tmp_path / "phone.mp4", still(1, len(times)), look), *TIMES_S)

    text, notices, _ = rendered("edl", tmp_path)

    [notice] = notices
    told = Fraction(re.search(r"they count ([\d.]+) a second", notice)[1])
    rate = min(RATES, key=lambda rate: abs(rate - told))
    assert notice.startswith("phone.mp4: its frame rate is variable")
    assert_spans(read_edl(otio, text, rate), rate)


def test_of_films_at_several_rates_the_list_has_the_commonest(otio: Any, tmp_path: Path) -> None:
    """And the times of the others are right to half of its frames."""
    describe(small_film(tmp_path / "a.mov", Fraction(24), "02:00:00:12"), *TIMES_S)
    describe(small_film(tmp_path / "b.mp4", Fraction(25)), *TIMES_S)
    describe(small_film(tmp_path / "c.mp4", Fraction(25)), *TIMES_S)

    text, notices, _ = rendered("edl", tmp_path)
    track = read_edl(otio, text, Fraction(25))
    timeline = otio.adapters.read_from_string(rendered("otio", tmp_path)[0], "otio_json")

    [notice] = notices
    assert "here 25 a second, which a.mov has not" in notice
    count = len(TIMES_S)
    assert_spans(track[:count], Fraction(25), 7200.5)
    assert_spans(track[count : 2 * count], Fraction(25))
    assert_spans(timeline.tracks[0][:count], Fraction(24), 7200.5)
    assert_spans(timeline.tracks[0][2 * count :], Fraction(25))


def test_names_of_any_kind_do_no_harm(otio: Any, tmp_path: Path) -> None:
    """Each film has a reel of its own, of eight plain characters, and its address is whole."""
    names = [*ODD_NAMES, "BL.mkv", "AX.mkv", "東京.mkv", "long name of a film.mkv"]
    names += [f"long name of a film {number}.mkv" for number in range(12)]
    films = [small_film(tmp_path / name, Fraction(25)) for name in names]
    told = "A red car\n001  X V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00 =cmd()"
    for film in films:
        describe(film, 1.0, told=told, length_s=2)

    text, _, errors = rendered("edl", tmp_path)
    track = read_edl(otio, text, Fraction(25))
    timeline = otio.adapters.read_from_string(rendered("otio", tmp_path)[0], "otio_json")
    playlist, _, _ = rendered("m3u", tmp_path)

    assert errors == []
    assert len(track) == len(names)
    reels = {line[5:13] for line in text.splitlines() if re.match(r"\d{3} ", line)}
    assert len(reels) == len(names)
    assert all(re.fullmatch(r"[A-Z0-9]+ *", reel) for reel in reels)
    assert not {"BL", "AX"} & {reel.strip() for reel in reels}
    assert {clip.name for clip in track} == set(map(printable, names))
    urls = [clip.media_reference.target_url for clip in timeline.tracks[0]]
    assert {Path(otio.url_utils.filepath_from_url(url)).name for url in urls} == set(names)
    assert [line for line in playlist.splitlines() if not line.startswith("#")] == urls


def test_a_playlist_tells_when_each_piece_begins_and_ends(tmp_path: Path) -> None:
    describe(small_film(tmp_path / "my film.mp4", Fraction(25)), 1.0, 5.0, length_s=10)

    text, _, _ = rendered("m3u", tmp_path)

    assert text.splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:red car",
        "#EXTINF:3,my film.mp4 00:00:01.000 A red car stops under a lamp",
        "#EXTVLCOPT:start-time=0.000",
        "#EXTVLCOPT:stop-time=3.000",
        f"file://{tmp_path}/my%20film.mp4",
        "#EXTINF:7,my film.mp4 00:00:05.000 A red car stops under a lamp",
        "#EXTVLCOPT:start-time=3.000",
        "#EXTVLCOPT:stop-time=10.000",
        f"file://{tmp_path}/my%20film.mp4",
    ]


def test_a_table_needs_no_film_and_holds_no_formula(tmp_path: Path) -> None:
    describe(tmp_path / "=cmd().mkv", 1.0, 5.0, told="=red car() | tense | +1 | @x", length_s=10)

    text, _, errors = rendered("csv", tmp_path)

    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert errors == []
    assert (first["begin_s"], first["end_s"], second["end_s"]) == ("0.0", "3.0", "10.0")
    cells = (first["film"], first["visual_content"], first["action"], first["setting"])
    assert cells == ("'=cmd().mkv", "'=red car()", "'+1", "'@x")


def test_films_that_are_gone_or_none_are_left_out_each_told_once(tmp_path: Path) -> None:
    describe(tmp_path / "gone.mkv", 1.0, 2.0)
    describe(small_film(tmp_path / "here.mp4", Fraction(25)), 1.0, 2.0)
    (tmp_path / "text.mkv").write_text("no film")
    describe(tmp_path / "text.mkv", 1.0, 2.0)

    for name, left_out in (("edl", ["gone.mkv", "text.mkv"]), ("m3u", ["gone.mkv"])):
        text, _, errors = rendered(name, tmp_path)
        assert "here.mp4" in text
        assert [re.search(r"'(.*)'", error)[1] for error in errors] == left_out
