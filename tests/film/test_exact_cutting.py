"""A clip has the very frames of its moments, and picture and sound stay together."""

from __future__ import annotations

import io
import random
from array import array
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from films import Look, index_of, make_film, mux_subtitles, picture

from cinecut.errors import FilmError, UsageError
from cinecut.film.cutting import Piece, cut_pieces

FRAMES = 100
RATE_HZ = 48_000
X264 = {"preset": "ultrafast", "bf": "2", "g": "20", "sc_threshold": "0"}
PICTURES = [picture(number // 10) for number in range(FRAMES)]


def with_sound(
    film: Path, path: Path, sound: Callable[[int], float], options: dict[str, str] | None = None
) -> Path:
    """Copy `film` to `path` with AAC of what `sound` says of each sample by its number."""
    with av.open(str(film)) as source, av.open(str(path), "w", options=options or {}) as target:
        video = target.add_stream_from_template(source.streams.video[0])
        track = target.add_stream("aac", rate=RATE_HZ, layout="mono")
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets:
            packet.stream = video
        for start in range(0, RATE_HZ * FRAMES // 25, 1024):
            frame = av.AudioFrame("fltp", "mono", 1024)
            frame.planes[0].update(array("f", map(sound, range(start, start + 1024))).tobytes())
            frame.sample_rate, frame.pts = RATE_HZ, start
            frame.time_base = Fraction(1, RATE_HZ)
            packets += track.encode(frame)
        packets += track.encode(None)
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            target.mux(packet)
    return path


_noise = random.Random(1)


def noise(_: int) -> float:
    """Of this no two packets are the same."""
    return _noise.random() - 0.5


def click(number: int) -> float:
    """A click of 5 ms as frame 50 comes."""
    return 0.9 if 0 <= number - 2 * RATE_HZ < 240 and number % 40 < 20 else 0.0


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("exact") / "plain.mp4", PICTURES, Look(options=X264))


@pytest.fixture(scope="module", params=[".mkv", ".mp4", ".ts"])
def film(request: pytest.FixtureRequest, plain: Path) -> Path:
    """A film of each container; the transport stream begins at 11.4 s by its own clock."""
    options = {"output_ts_offset": "10"} if request.param == ".ts" else {}
    return with_sound(plain, plain.with_name(f"film{request.param}"), noise, options)


def cut(tmp_path: Path, suffix: str, *pieces: Piece, is_exact: bool = True) -> Path:
    path = tmp_path / f"clip{suffix}"
    with path.open("w+b") as file:
        cut_pieces(pieces, file, suffix, pytest.fail, is_exact=is_exact)
    return path


def shown(path: Path) -> list[tuple[float, int]]:
    """Return when each frame is shown, and its index."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            still = io.BytesIO()
            frame.to_image().save(still, "jpeg")
            frames.append((float(frame.time), index_of(still.getvalue())))
    return frames


def heard(path: Path) -> list[tuple[float, bytes]]:
    """Return when each packet of sound is heard, and what is in it without a frame's header."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        data = [(float(each.pts * each.time_base), bytes(each)) for each in packets]
    return [(at, each[7:] if each[:1] == b"\xff" else each) for at, each in data]


def delays(film: Path, clip: Path) -> list[tuple[float, float, float]]:
    """Return for each packet of sound in `clip` when it is heard, and how much later it is than
    the frame before it, compared with `film`; and when that frame is shown in the film."""
    pictures, before = shown(clip), dict(map(reversed, shown(film)))  # type: ignore[arg-type]
    sounds = {data: at for at, data in heard(film)}
    found = []
    for at, data in heard(clip):
        time, index = max((each for each in pictures if each[0] <= at + 0.002), default=pictures[0])
        found.append((at, (at - time) - (sounds[data] - before[index]), before[index]))
    return found


def assert_together(film: Path, clip: Path) -> None:
    late = delays(film, clip)
    assert len(late) > 20
    assert max(abs(each) for _, each, _ in late) < 0.04


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_moment_has_its_own_frames_and_no_other(tmp_path: Path, film: Path, suffix: str) -> None:
    clip = cut(tmp_path, suffix, Piece(film, 1.32, 2.4))
    frames = shown(clip)
    first = frames[0][1]
    assert first in range(32, 35)  # a film's time begins with its sound, if that comes first
    assert [index for _, index in frames] == list(range(first, first + 27))
    steps = [after[0] - before[0] for before, after in pairwise(frames)]
    assert all(abs(step - 0.04) < 0.002 for step in steps)
    assert_together(film, clip)


@pytest.mark.parametrize("is_exact", [True, False])
def test_picture_and_sound_stay_together_at_a_joint(
    tmp_path: Path, film: Path, is_exact: bool
) -> None:
    pieces = [Piece(film, 2.5, 3.1), Piece(film, 0.4, 1.3)]
    clip = cut(tmp_path, film.suffix, *pieces, is_exact=is_exact)
    assert_together(film, clip)
    with av.open(str(clip)) as container:
        times = [p.pts * p.time_base for p in container.demux(audio=0) if p.size]
    gaps = [float(after - before) for before, after in pairwise(times)]
    assert max(gaps) < 0.09


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_copies_stay_together_too(tmp_path: Path, film: Path, suffix: str) -> None:
    assert_together(film, cut(tmp_path, suffix, Piece(film, 1.32, 2.4), is_exact=False))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
@pytest.mark.parametrize("is_exact", [True, False])
def test_a_click_is_heard_with_its_frame(
    tmp_path: Path, plain: Path, suffix: str, is_exact: bool
) -> None:
    source = with_sound(plain, tmp_path / f"film{suffix}", click)
    pieces = [Piece(source, 0.3, 0.7), Piece(source, 1.32, 2.4)]
    clip = cut(tmp_path, suffix, *pieces, is_exact=is_exact)
    seen_s = next(at for at, index in shown(clip) if index == 50)
    heard_s = []
    with av.open(str(clip)) as container:
        for frame in container.decode(audio=0):
            levels = array("f", bytes(frame.planes[0])[: 4 * frame.samples])
            loud = next((n for n, level in enumerate(levels) if abs(level) > 0.3), None)
            heard_s += [] if loud is None else [float(frame.time) + loud / RATE_HZ]
    assert abs(heard_s[0] - seen_s) < 0.005


def test_frames_keep_their_times_shape_colours_and_turn(tmp_path: Path) -> None:
    times: Sequence[Fraction] = [Fraction(n * n, 1000) + Fraction(n, 30) for n in range(30)]
    look = Look(
        options=X264,
        times=times,
        sample_aspect=Fraction(4, 3),
        rotation=90,
        colours=(1, 9, 16, 9),
        container_options={"video_track_timescale": "90000"},
    )
    source = make_film(tmp_path / "phone.mp4", PICTURES[:30], look)
    clip = cut(tmp_path, ".mp4", Piece(source, float(times[10]), float(times[20])))
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    assert (context.width, context.height) == (320, 180)
    assert (context.color_range, context.color_primaries) == (1, 9)
    assert (context.color_trc, context.colorspace) == (16, 9)
    assert {frame.rotation for frame in frames} == {90}
    told = [float(frame.time) for frame in frames]
    assert told == pytest.approx([float(each - times[10]) for each in times[10:20]], abs=0.0005)


def test_films_of_one_size_are_joined_whatever_their_coding(tmp_path: Path, plain: Path) -> None:
    other = make_film(tmp_path / "b.mkv", PICTURES[:20], Look(codec="mpeg4", options={}))
    clip = cut(tmp_path, ".mkv", Piece(plain, 1, 1.2), Piece(other, 0, 0.2))
    assert [index for _, index in shown(clip)] == [*range(25, 30), *range(5)]
    small = make_film(tmp_path / "small.mkv", PICTURES[:10], Look(size=(160, 90)))
    with pytest.raises(UsageError, match=r"small\.mkv is coded in another way"):
        cut(tmp_path, ".mkv", Piece(plain, 1, 1.2), Piece(small, 0, 0.2))
    turned = make_film(tmp_path / "turned.mp4", PICTURES[:10], Look(options=X264, rotation=90))
    for is_exact in (True, False):
        with pytest.raises(UsageError, match=r"turned\.mp4 is coded in another way"):
            cut(tmp_path, ".mkv", Piece(plain, 1, 1.2), Piece(turned, 0, 0.2), is_exact=is_exact)


def test_an_avi_that_tells_no_times_is_cut_exactly_or_not_at_all(tmp_path: Path) -> None:
    look = Look(codec="mpeg4", options={"bf": "2", "g": "20"})
    source = make_film(tmp_path / "old.avi", PICTURES, look)
    clip = cut(tmp_path, ".mkv", Piece(source, 1.32, 2.4))
    assert [index for _, index in shown(clip)] == list(range(33, 60))
    with pytest.raises(FilmError, match="--exact"):
        cut(tmp_path, ".mkv", Piece(source, 1.32, 2.4), is_exact=False)


def test_webm_is_written_with_its_own_coder(tmp_path: Path, plain: Path) -> None:
    clip = cut(tmp_path, ".webm", Piece(plain, 1, 1.2))
    assert [index for _, index in shown(clip)] == list(range(25, 30))


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "subrip"), (".mp4", "mov_text")])
@pytest.mark.parametrize("into", [".mkv", ".mp4"])
@pytest.mark.parametrize("is_exact", [True, False])
def test_subtitles_chapters_and_title_come_along(
    tmp_path: Path, plain: Path, suffix: str, codec: str, into: str, is_exact: bool
) -> None:
    """A line of one container's kind of text becomes one of the other's."""
    lines = [(0.2, 0.4, "before"), (2.0, 2.2, "Hello"), (2.3, 3.9, "longer")]
    told = mux_subtitles(plain, tmp_path / f"told{suffix}", codec, lines, "eng")
    source = tmp_path / f"film{suffix}"
    with av.open(str(told)) as before, av.open(str(source), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in before.streams}
        streams[1].metadata["language"] = "eng"
        target.metadata["title"] = "A film"
        ticks = Fraction(1, 1000)
        bounds = [(0, 1800, "one"), (1800, 4000, "two")]
        target.set_chapters(
            [
                {"id": n, "start": a, "end": b, "time_base": ticks, "metadata": {"title": name}}
                for n, (a, b, name) in enumerate(bounds)
            ]
        )
        for packet in before.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    clip = cut(tmp_path, into, Piece(source, 1.6, 2.4), is_exact=is_exact)
    with av.open(str(clip)) as container:
        assert container.metadata["title"] == "A film"
        decoder = container.streams.subtitles[0].codec_context
        assert decoder.name in {".mkv": ("srt", "subrip"), ".mp4": ("mov_text",)}[into]
        assert container.streams.subtitles[0].language == "eng"
        packets = [p for p in container.demux(subtitles=0) if b"e" in bytes(p)]
        shown_s = [(float(p.pts * p.time_base), float(p.duration * p.time_base)) for p in packets]
        assert shown_s[0] == pytest.approx((0.4, 0.2), abs=0.01)
        assert shown_s[1:] == [pytest.approx((0.7, 0.1), abs=0.01)]
        chapters = container.chapters()
    assert [each["metadata"]["title"] for each in chapters] == ["one", "two"]
    bounds_s = [float(chapters[n]["start"] * chapters[n]["time_base"]) for n in (0, 1)]
    assert bounds_s == pytest.approx([0, 0.2], abs=0.01)


def test_what_cannot_be_taken_along_is_told(tmp_path: Path, plain: Path) -> None:
    told = mux_subtitles(plain, tmp_path / "told.mkv", "subrip", [(2.0, 2.2, "Hello")], "eng")
    notices: list[str] = []
    with (tmp_path / "clip.ts").open("w+b") as file:
        cut_pieces([Piece(told, 1.6, 2.4)], file, ".ts", notices.append)
    [notice] = notices
    assert "told.mkv: 1 x subtitle (" in notice
