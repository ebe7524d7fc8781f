"""The picture under a record is the frame at its time, in every kind of film."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from pathlib import Path

import pytest
from films import Look, index_of, make_film, make_packed_avi, still

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings

FRAMES = 130
THUMBS = [*still(1, 25), *still(2, 35), *still(3, 50), *still(4, 20)]
_CHANCE = random.Random(5)
UNEVEN = list(
    itertools.accumulate(
        [Fraction(0), *(Fraction(1, _CHANCE.choice([10, 24, 30, 60])) for _ in range(FRAMES - 1))]
    )
)
X265 = {"preset": "ultrafast", "x265-params": "log-level=none"}

KINDS = {
    "long-gop.mp4": Look(options={"preset": "ultrafast", "g": "100000", "sc_threshold": "0"}),
    "b-frames-edit-list.mp4": Look(options={"preset": "veryfast", "bf": "3"}),
    "open-gop.mkv": Look(
        options={"preset": "veryfast", "bf": "3", "x264-params": "open-gop=1:keyint=20"}
    ),
    "vfr.mp4": Look(times=UNEVEN),
    "vfr.mkv": Look(times=UNEVEN),
    "rotated-left.mp4": Look(rotation=90, filters=(("transpose", "clock"),)),
    "rotated-right.mp4": Look(rotation=-90, filters=(("transpose", "cclock"),)),
    "upside-down.mov": Look(rotation=180, filters=(("hflip", ""), ("vflip", ""))),
    "anamorphic.mp4": Look(size=(360, 288), sample_aspect=Fraction(64, 45)),
    "interlaced-offset.ts": Look(
        codec="mpeg2video",
        options={"flags": "+ilme+ildct", "b": "3000000", "bf": "2"},
        filters=(("setfield", "tff"),),
        container_options={"output_ts_offset": "10"},
    ),
    "hdr10.mkv": Look(codec="libx265", pix_fmt="yuv420p10le", options=X265, colours=(1, 9, 16, 9)),
    "hlg.mp4": Look(codec="libx265", pix_fmt="yuv420p10le", options=X265, colours=(1, 9, 18, 9)),
    "vp9.webm": Look(
        codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "b": "1M"}
    ),
    "av1.mkv": Look(codec="libsvtav1", options={"preset": "12"}),
    "b-frames.avi": Look(codec="mpeg4", options={"bf": "2", "b": "2000000"}),
    "ntsc-film.mp4": Look(rate=Fraction(24000, 1001)),
    "ntsc-film.ts": Look(rate=Fraction(24000, 1001)),
    "full-range.mp4": Look(colours=(2, 1, 1, 1)),
}
DISPLAY_SIZES = {"anamorphic.mp4": (512, 288)}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.mark.parametrize("speed", ["full", "iframes"])
@pytest.mark.parametrize("name", [*KINDS, "packed.avi"])
def test_every_picture_is_the_frame_that_its_time_names(
    kinds: Path, tmp_path: Path, name: str, speed: str
) -> None:
    look = KINDS.get(name, Look())
    film = kinds / name
    if not film.exists():
        make_film(film, THUMBS, look) if name in KINDS else make_packed_avi(film, THUMBS)
    film_times = [float(time) for time in look.times or [i / look.rate for i in range(FRAMES)]]
    settings = KeyframeSettings(interval_s=0.7, scan=speed, keep_duplicates=True)

    with KeyframeScan(film, tmp_path / "frames", settings) as keyframes:
        records = list(keyframes)

    times = [record.timestamp_s for record in records]
    assert sorted(times) == times
    assert len(records) >= 6
    for record in records:
        index = index_of(Path(record.frame_path).read_bytes())
        assert film_times[index] == pytest.approx(record.timestamp_s, abs=0.5 / float(look.rate))
    width, height = keyframes.info.width, keyframes.info.height
    assert (width, height) == DISPLAY_SIZES.get(name, (320, 180))


def test_film_time_starts_with_the_earliest_stream(tmp_path: Path) -> None:
    """A player's 0:00 is where the sound starts when the picture comes later."""
    times = [Fraction(1, 2) + Fraction(i, 25) for i in range(30)]
    film = make_film(tmp_path / "late.mkv", still(1, 30), Look(times=times, silence_s=2))

    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as keyframes:
        record = next(iter(keyframes))

    index = index_of(Path(record.frame_path).read_bytes())
    assert record.timestamp_s == pytest.approx(0.5 + index / 25, abs=0.02)
