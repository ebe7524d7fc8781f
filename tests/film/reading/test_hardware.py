"""Hardware decodes the same film; where it is missing or fails, nothing is lost.

A machine with such hardware is rare, so a decoder stands in for it that gives frames in the pixel
formats that hardware gives, and fails where it is told to. The real one is asked for too.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from films import Look, dissolve, make_film, make_packed_avi, mux_subtitles, picture, still

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.film.reading import hardware
from cinecut.film.reading.hardware import HardwareDecoder
from cinecut.film.reading.opening import open_container, pick_stream
from cinecut.film.reading.video import Video

THUMBS = [*still(1, 9), *dissolve(picture(1), picture(2), 5), *still(3, 14), *still(4, 12)]
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=9:bframes=3:open-gop=1"}
LONG = {"preset": "veryfast", "bf": "3", "g": "1000", "sc_threshold": "0"}
SHORT = {"preset": "veryfast", "bf": "3", "x264-params": "open-gop=1:keyint=7:scenecut=0"}
KINDS = {
    "open-gop.mkv": Look(options=SHORT),
    "one-gop.mp4": Look(options=LONG, rate=Fraction(2)),
    "broadcast.ts": Look(
        codec="mpeg2video",
        options={"flags": "+ilme+ildct", "b": "3000000", "bf": "2", "g": "6"},
        filters=(("setfield", "tff"),),
        container_options={"output_ts_offset": "10"},
    ),
    "hdr10.mkv": Look(codec="libx265", pix_fmt="yuv420p10le", options=X265, colours=(1, 9, 16, 9)),
    "rotated.mp4": Look(rotation=90, options=SHORT),
    "anamorphic.mp4": Look(size=(360, 288), sample_aspect=Fraction(64, 45), options=SHORT),
    "full-range.mp4": Look(colours=(2, 1, 1, 1), options=SHORT),
}
HARDWARE_FORMATS = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}


class StandIn:
    """A decoder as hardware is: one thread, and its own pixel formats."""

    def __init__(self, film: Path, fails_at: int | None) -> None:
        with open_container(film) as container:
            self._decoder = pick_stream(film, container).codec_context
        self._left = fails_at

    def decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        if self._left == 0:
            raise av.error.ExternalError(542398533, "the device is lost")
        if self._left is not None:
            self._left -= 1
        frames = self._decoder.decode(packet)
        return [frame.reformat(format=HARDWARE_FORMATS[frame.format.name]) for frame in frames]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a stand-in in the place of the hardware."""

    def install(film: Path, fails_at: int | None = None) -> None:
        monkeypatch.setattr(HardwareDecoder, "_open", lambda *_: StandIn(film, fails_at))

    return install


def frames_of(film: Path, kind: hardware.Hardware | None) -> tuple[list[tuple[Fraction, int]], str]:
    """Return when the film's frames are shown, a digest of each one's pixels, and the notice."""
    with Video(film, hardware=kind) as video:
        shown = [(time, digest(frame)) for time, frame in video.frames()]
        assert video.damage.count == 0
        return shown, video.notice or ""


def digest(frame: av.VideoFrame) -> int:
    """Return the same for the same pixels in either of their formats."""
    ordinary = {"nv12": "yuv420p", "yuvj420p": "yuv420p", "p010le": "yuv420p10le"}
    name = ordinary.get(frame.format.name, frame.format.name)
    return hash(frame.to_ndarray(format=name).tobytes())


@pytest.mark.parametrize("name", ["open-gop.mkv", "one-gop.mp4", "broadcast.ts", "hdr10.mkv"])
def test_where_hardware_fails_no_frame_is_lost(name: str, tmp_path: Path, device) -> None:
    """Each is there once, to the bit, wherever in a group of pictures, and at the very end."""
    film = make_film(tmp_path / name, THUMBS, KINDS[name])
    expected, _ = frames_of(film, None)
    assert len(expected) == len(THUMBS)

    for packet in [*range(0, len(THUMBS), 3), len(THUMBS)]:
        device(film, packet)
        shown, notice = frames_of(film, "cuda")

        assert shown == expected, packet
        assert "the device is lost" in notice
        assert "the CPU went on, and nothing is lost" in notice or packet < 9


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_the_same_to_the_bit(name: str, tmp_path: Path, device) -> None:
    """In colours, shape and turn, from the pixel formats of hardware as from the film's own."""
    film = make_film(tmp_path / name, THUMBS, KINDS[name])
    settings = KeyframeSettings(interval_s=0.5)
    with KeyframeScan(film, tmp_path / "cpu", settings) as scan:
        expected = [(r.timestamp_s, Path(r.frame_path).read_bytes()) for r in scan]
    device(film)
    with KeyframeScan(film, tmp_path / "gpu", settings, hardware="cuda") as scan:
        found = [(r.timestamp_s, Path(r.frame_path).read_bytes()) for r in scan]

    assert len(expected) >= 3
    assert found == expected
    assert not [notice for notice in scan.report.notices if "cuda" in notice]


def test_key_pictures_alone_and_dialogue_come_from_hardware_too(tmp_path: Path, device) -> None:
    plain = make_film(tmp_path / "plain.mp4", THUMBS, KINDS["open-gop.mkv"])
    lines = [(0.2, 0.5, "One."), (0.9, 1.1, "Two.")]
    film = mux_subtitles(plain, tmp_path / "film.mkv", "subrip", lines)
    settings = KeyframeSettings(scan="iframes", interval_s=0.3)
    with KeyframeScan(film, tmp_path / "cpu", settings) as scan:
        expected = [(record.timestamp_s, said) for record, said, _ in scan.in_full()]
    device(film, fails_at=3)
    with KeyframeScan(film, tmp_path / "gpu", settings, hardware="cuda") as scan:
        found = [(record.timestamp_s, said) for record, said, _ in scan.in_full()]

    assert sum(len(said) for _, said in expected) == len(lines)
    assert found == expected
    assert [notice for notice in scan.report.notices if "nothing is lost" in notice]


def test_what_a_decoder_would_need_to_begin_anew_has_a_bound(
    tmp_path: Path, device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is held yet, the film goes to the software; where pictures follow soon, never."""
    films = [make_film(tmp_path / name, THUMBS, KINDS[name]) for name in list(KINDS)[:2]]
    monkeypatch.setattr(hardware, "_HELD_MOST_BYTES", films[1].stat().st_size * 2 // 3)
    notices = []
    for film in films:
        device(film)
        shown, notice = frames_of(film, "cuda")
        assert shown == frames_of(film, None)[0]
        notices.append(notice)

    assert notices[0] == ""
    assert "between its key pictures" in notices[1]


def test_a_film_that_hardware_does_not_take_is_decoded_by_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing asked: there is no such decoder, and no such device."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    prores = Look(codec="prores_ks", pix_fmt="yuv422p10le")
    films = {
        make_film(tmp_path / "prores.mov", THUMBS, prores): "PyAV has no decoder for prores on it",
        make_film(tmp_path / "h264.mp4", THUMBS): "cuda did not take it (",
    }
    for film, reason in films.items():
        shown, notice = frames_of(film, "cuda")

        assert shown == frames_of(film, None)[0]
        assert reason in notice
        assert notice.endswith("it was decoded by the CPU.")


def test_an_avi_is_left_to_the_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of frames without times nobody could say which of them have been given out."""
    film = make_packed_avi(tmp_path / "packed.avi", THUMBS)
    monkeypatch.setattr(hardware, "HWAccel", lambda *_, **__: None)
    monkeypatch.setattr(hardware, "_has_decoder", lambda *_: True)

    shown, notice = frames_of(film, "cuda")

    assert shown == frames_of(film, None)[0]
    assert "an AVI does not tell" in notice
