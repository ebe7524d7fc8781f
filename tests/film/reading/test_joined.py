"""Joined recordings: one continuous time as players show it, whatever the clock inside does."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from films import Look, index_of, make_film, still

from cinecut.film.reading.video import Video

FPS, PART = 25, 100
"""Frames a second, and of each part."""
X264 = {"preset": "ultrafast", "g": "25"}
MPEG2 = {"b": "3000000", "bf": "2", "g": "25"}

Made = tuple[Path, int]
"""A film, and how many frames its parts have together."""


def part(folder: Path, number: int, name: str = "ts", **more: object) -> Path:
    """A recording whose frames go on counting where those of the part before end."""
    codec, options = ("mpeg2video", MPEG2) if name == "mpg" else ("libx264", X264)
    look = Look(codec=codec, options=options, first_index=PART * number, **more)
    return make_film(folder / f"part{number}.{name}", still(number, PART), look)


def joined(folder: Path, parts: list[Path], name: str = "joined.ts") -> Made:
    path = folder / name
    path.write_bytes(b"".join(one.read_bytes() for one in parts))
    return path, PART * len(parts)


def two(folder: Path) -> Made:
    return joined(folder, [part(folder, 0), part(folder, 1)])


def three(folder: Path) -> Made:
    return joined(folder, [part(folder, number) for number in range(3)])


def of_two_sizes(folder: Path) -> Made:
    return joined(folder, [part(folder, 0), part(folder, 1, size=(640, 360))])


def of_two_formats(folder: Path) -> Made:
    return joined(folder, [part(folder, 0), part(folder, 1, pix_fmt="yuv444p")])


def an_hour_later(folder: Path) -> Made:
    late = part(folder, 1, container_options={"output_ts_offset": "3600"})
    return joined(folder, [part(folder, 0), late])


def an_hour_earlier(folder: Path) -> Made:
    late = part(folder, 0, container_options={"output_ts_offset": "3600"})
    return joined(folder, [late, part(folder, 1)])


def of_dvd_parts(folder: Path) -> Made:
    return joined(folder, [part(folder, 0, "mpg"), part(folder, 1, "mpg")], "joined.vob")


def across_the_wrap(folder: Path) -> Made:
    """The 33 bits of a clock of 90 kHz run over after 95443.7 s: here in the middle."""
    look = Look(options=X264, container_options={"output_ts_offset": "95439.7", "muxdelay": "0"})
    thumbs = [*still(1, PART), *still(2, PART)]
    return make_film(folder / "wrap.ts", thumbs, look), 2 * PART


KINDS = [
    two,
    three,
    of_two_sizes,
    of_two_formats,
    an_hour_later,
    an_hour_earlier,
    of_dvd_parts,
    across_the_wrap,
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return request.param(tmp_path)


def test_every_frame_is_walked_at_its_continuous_time(made: Made) -> None:
    film, frames = made
    with Video(film) as video:
        times = [float(time) for time, _ in video.frames()]

    assert frames == len(times)
    assert times == pytest.approx([index / FPS for index in range(frames)], abs=0.002)
    assert video.damage.count == 0


@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_each_part_has_its_frame_and_each_picture_its_time(
    made: Made, scan: Callable, speed: str
) -> None:
    film, frames = made
    records, report = scan(film, scan=speed, interval_s=1.3, keep_duplicates=True)

    shown = [index_of(Path(record.frame_path).read_bytes()) for record in records]
    assert shown == [round(record.timestamp_s * FPS) for record in records]
    assert {index // PART for index in shown} == set(range(frames // PART))
    changes = [r.timestamp_s for r in records if r.source == "scene_change"]
    assert len(changes) >= frames // PART - 1
    assert report.position_s == pytest.approx(frames / FPS, abs=0.1)


def test_the_summary_tells_of_joints_and_not_of_damage(tmp_path: Path, scan: Callable) -> None:
    _, report = scan(three(tmp_path)[0])

    assert report.damaged == 0
    assert report.notices == [
        "The film is a joined recording: its clock jumps 2 times. "
        "Times run on over each joint, as a player shows them."
    ]


def test_subtitles_beside_a_joined_recording_count_its_continuous_time(
    tmp_path: Path, scan: Callable
) -> None:
    film, _ = two(tmp_path)
    film.with_suffix(".srt").write_text("1\n00:00:05,200 --> 00:00:06,000\nHello.\n")
    for speed in ("full", "iframes"):
        records, _ = scan(film, scan=speed)
        lines = [record for record in records if record.source == "subtitle_midpoint"]

        assert len(lines) == 1
        assert abs(lines[0].timestamp_s - 5.6) <= 1


def test_a_budget_is_spread_over_all_parts(tmp_path: Path, scan: Callable) -> None:
    """The header tells of the last part alone."""
    records, _ = scan(three(tmp_path)[0], max_frames=3)

    assert [int(record.timestamp_s / 4) for record in records] == [0, 1, 2]


def test_a_picture_that_stays_for_a_minute_is_no_joint(tmp_path: Path, scan: Callable) -> None:
    """A slide show in a file that keeps its times."""
    times = [Fraction(0), Fraction(1), Fraction(61), Fraction(62)]
    thumbs = [thumb for seed in (1, 2) for thumb in still(seed, 2)]
    film = make_film(tmp_path / "slides.mkv", thumbs, Look(times=times))

    with Video(film) as video:
        assert [time for time, _ in video.frames()] == times
        assert video.timeline.joints == 0


def hls(folder: Path) -> Path:
    """A playlist of one long segment, as a download leaves it: no place in it can be sought."""
    make_film(folder / "one.ts", still(1, 10 * FPS), Look(options=LONG_GOP))
    playlist = folder / "film.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\none.ts\n#EXT-X-ENDLIST\n")
    return playlist


def dvd(folder: Path) -> Path:
    look = Look(codec="mpeg2video", options={"b": "3000000", "bf": "2", "g": "60"})
    return make_film(folder / "film.vob", still(1, 10 * FPS), look)


def broadcast(folder: Path) -> Path:
    return make_film(folder / "film.ts", still(1, 10 * FPS), Look(options=LONG_GOP))


LONG_GOP = {"preset": "ultrafast", "g": "125", "sc_threshold": "0"}


@pytest.mark.parametrize("make", [hls, dvd, broadcast])
def test_between_key_pictures_the_exact_frames_are_found(
    tmp_path: Path, scan: Callable, make: Callable[[Path], Path]
) -> None:
    records, _ = scan(make(tmp_path), scan="iframes", interval_s=1, keep_duplicates=True)

    times = [record.timestamp_s for record in records]
    assert max(b - a for a, b in pairwise(times)) <= 1 + 2 / FPS
    assert times[0] <= 1
    assert times[-1] >= 7.9
    for record in records:
        index = index_of(Path(record.frame_path).read_bytes())
        assert index == pytest.approx(record.timestamp_s * FPS, abs=1.01)


@pytest.mark.parametrize("kind", ["ts", "mpg"])
def test_a_broadcast_that_changes_its_shape_is_shown_as_it_is_from_then_on(
    tmp_path: Path, scan: Callable, kind: str
) -> None:
    """From 4:3 to 16:9 in 720 x 576: neither size nor codec tells of it."""
    narrow = part(tmp_path, 0, kind, size=(720, 576), sample_aspect=Fraction(16, 15))
    wide = part(tmp_path, 1, kind, size=(720, 576), sample_aspect=Fraction(64, 45))
    film, _ = joined(tmp_path, [narrow, wide, narrow], f"joined.{kind}")

    records, _ = scan(film, interval_s=1.9, keep_duplicates=True)

    def size_of(path: str) -> tuple[int, int]:
        with av.open(path) as picture:
            frame = next(picture.decode(video=0))
            return frame.width, frame.height

    sizes = [(record.timestamp_s // 4, size_of(record.frame_path)) for record in records]
    assert set(sizes) == {(0, (768, 576)), (1, (1024, 576)), (2, (768, 576))}
