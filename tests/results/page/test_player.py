"""The film in its storyboard: real films, played by a real Chromium, from a file."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import pytest
from browser import Page
from films import Look, index_of, make_film, picture
from PIL import Image
from sample_results import results, scene

from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.models import Skip
from cinecut.results.exports.formats import export
from cinecut.results.scenes import Scene, run_to_line, scene_to_line
from cinecut.run.jobs import plan_job
from cinecut.run.settings import RunSettings

pytestmark = pytest.mark.browser

LENGTH_S = 10
THUMBS = [picture(frame // 25) for frame in range(25 * LENGTH_S)]
VP9 = Look((320, 180), codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})
LOOKS = {
    "vp9.webm": VP9,
    "h264.mp4": Look(),
    "hevc.mkv": Look(
        codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=0"}
    ),
}
VIDEO = "document.querySelector('#player video')"
CLOCK = f"{VIDEO}.currentTime"
PICTURE = io.BytesIO()
Image.linear_gradient("L").resize((64, 36)).save(PICTURE, "JPEG")
HAS_H264 = "document.createElement('video').canPlayType('video/mp4; codecs=avc1.42E01E') !== ''"
IS_OPEN = "!document.getElementById('player').hidden"
TOLD = "!document.getElementById('elsewhere').hidden"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same ten seconds in several codecs and containers."""
    folder = tmp_path_factory.mktemp("films")
    made = {name: make_film(folder / name, THUMBS, look) for name, look in LOOKS.items()}
    return made | {"hevc-sound.mkv": with_sound(made["hevc.mkv"], folder / "hevc-sound.mkv")}


def with_sound(film: Path, path: Path) -> Path:
    """Copy `film` with a second of silence that every browser can play."""
    with av.open(str(film)) as source, av.open(str(path), "w") as copy:
        pictures = copy.add_stream_from_template(source.streams.video[0])
        sound = copy.add_stream("libopus", rate=48000)
        frame = av.AudioFrame("s16", "stereo", 960)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts = 48000, 0
        copy.mux(sound.encode(frame))
        copy.mux(sound.encode(None))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = pictures
                copy.mux(packet)
    return path


def scenes_of(count: int = 20, length_s: float = LENGTH_S) -> list[Scene]:
    """Scenes at even distances, in two parts."""
    step = length_s / count
    return [
        replace(scene(i, i * step + 0.2, f"Shot {i} & <b>."), part=2 * i // count)
        for i in range(count)
    ]


def storyboard(folder: Path, name: str, scenes: list[Scene] | None = None, **details: Any) -> Path:
    """Write results of the film `name` into `folder`, and the page of them."""
    scenes = scenes or scenes_of()
    (folder / "frames").mkdir(parents=True)
    for entry in scenes[:40]:
        (folder / "frames" / Path(entry.keyframe.frame_path).name).write_bytes(PICTURE.getvalue())
    run = results(scenes, film=name, length_s=LENGTH_S).run
    run = replace(run, details={**run.details, **details})
    lines = [run_to_line(run), *map(scene_to_line, scenes)]
    (folder / "scenes.jsonl").write_text("".join(lines), "utf-8")
    return export(folder, ["html"])[0]


def beside(films: dict[str, Path], kind: str, tmp_path: Path, name: bytes | None = None) -> Path:
    """Return the page of a film of that kind that lies beside its results, under a `name`."""
    path = tmp_path / (os.fsdecode(name) if name else f"movie{Path(kind).suffix}")
    os.link(films[kind], path)
    return storyboard(path.with_name(f"{path.name}.cinecut"), path.name)


def click_picture(page: Page, index: int) -> None:
    """Click on the picture of a scene, wherever on the page it is."""
    page.js(f"document.getElementById('scene-{index}').scrollIntoView()")
    page.settle()
    page.click(f"#scene-{index} .frame", at=0.1)


def shown_index(page: Page, tmp_path: Path) -> int:
    """Return which picture of the film the player shows."""
    page.settle()
    page.js(f"{VIDEO}.scrollIntoView()")
    page.screenshot(tmp_path / "shown.png")
    box = page.js(f"(b => [b.x, b.y, b.right, b.bottom])({VIDEO}.getBoundingClientRect())")
    jpeg = io.BytesIO()
    Image.open(tmp_path / "shown.png").convert("RGB").crop(box).save(jpeg, "JPEG", quality=95)
    return index_of(jpeg.getvalue())


@pytest.mark.parametrize("kind", ["vp9.webm", "h264.mp4"])
def test_a_click_on_a_picture_plays_the_film_from_there(
    page: Page, films: dict[str, Path], tmp_path: Path, kind: str
):
    """Until then nothing of it is loaded, and then nothing but it."""
    path = beside(films, kind, tmp_path)
    page.open(path)
    if kind == "h264.mp4" and not page.js(HAS_H264):
        pytest.skip("this Chromium has no H.264")
    page.settle()
    assert not [url for url in page.requests if url.endswith(kind[-4:])]

    page.js(f"{VIDEO}.addEventListener('playing', () => {{ window.began = {CLOCK}; }})")
    click_picture(page, 4)
    page.wait("window.began !== undefined")

    assert page.js("window.began") == pytest.approx(2.2, abs=0.1)
    page.wait(f"{CLOCK} > 2.6 && {VIDEO}.getVideoPlaybackQuality().totalVideoFrames > 5")
    page.wait("document.querySelector('.lit')?.id === 'scene-5'")
    assert all(url.startswith("file:") for url in page.requests)
    assert [url for url in page.requests if url.endswith(kind[-4:])] == [
        path.parent.with_suffix("").as_uri()
    ]
    page.click("#player-toggle")
    assert page.texts("#player-toggle") == ["Play"]
    click_picture(page, 12)
    page.wait(f"!{VIDEO}.paused && {CLOCK} >= 6.2")
    assert page.complaints == []


@pytest.mark.parametrize("kind", ["hevc.mkv", "hevc-sound.mkv"])
def test_a_film_that_the_browser_cannot_play_has_its_command_shown_and_copied(
    page: Page, films: dict[str, Path], tmp_path: Path, kind: str
):
    """Under the picture in full. One whose sound alone could be played is no exception."""
    page.open(path := beside(films, kind, tmp_path, b"a film's (1) $x `y`.mkv"))
    click_picture(page, 4)
    page.wait(TOLD)

    film = (path.parent.parent.as_uri()) + "/a%20film%27s%20%281%29%20%24x%20%60y%60.mkv"
    assert page.texts("#elsewhere code") == [
        f"mpv --start=2.200 {film}",
        f"vlc --start-time=2.200 {film}",
    ]
    page.wait("document.querySelector('#elsewhere button').textContent === 'Copied'")
    assert not page.js(IS_OPEN)
    assert page.js("document.getElementById('viewer').open")
    page.press("ArrowRight")
    assert page.texts("#elsewhere code")[0] == f"mpv --start=2.700 {film}"
    page.press("Escape")
    page.press("Enter")
    assert page.texts("#viewer .seen") == ["Shot 5 & <b>."]
    assert page.texts("#elsewhere") == []
    page.press("Escape")
    page.press("/")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="v", commands=["paste"])
    assert page.js("document.getElementById('search').value") == f"mpv --start=2.200 {film}"
    assert page.complaints == []


def test_a_film_that_is_gone_is_told_when_one_asks_for_it(
    page: Page, films: dict[str, Path], tmp_path: Path
):
    """In one sentence, once; the page is as it was before and after, and it may come back."""
    path = beside(films, "vp9.webm", tmp_path)
    film = path.parent.with_suffix("")
    film.rename(tmp_path / "elsewhere")
    page.open(path)
    page.settle()
    assert page.complaints == []
    assert page.texts("#elsewhere") == []

    page.press("j")
    page.press("P")
    page.wait(TOLD)

    sentence = "movie.webm does not lie where it was when this page was made."
    assert page.texts("#elsewhere") == [sentence]
    page.press("Escape")
    assert not page.js("document.getElementById('viewer').open")
    (tmp_path / "elsewhere").rename(film)
    page.press("P")
    page.wait(f"{IS_OPEN} && {CLOCK} > 0.2")


@pytest.mark.parametrize(
    "name",
    [
        b"a b#c?d%41.webm",
        b"quote'\"<script>alert(1)</script>".replace(b"/", b"-") + b".webm",
        b"line\nbreak \xff\xfe\\.webm",
        "فيلم 🎬 &amp;.webm".encode(),
    ],
)
def test_films_of_any_name_play(page: Page, films: dict[str, Path], tmp_path: Path, name: bytes):
    page.open(beside(films, "vp9.webm", tmp_path, name))

    click_picture(page, 2)

    page.wait(f"{IS_OPEN} && {CLOCK} > 1.2")
    assert page.complaints == []


@pytest.mark.parametrize(
    "path", ["//host/share/x", "/etc/film", "C:\\film", "https://example.org/x", "\0"]
)
def test_a_strangers_journal_names_no_film_on_another_machine(tmp_path: Path, path: str):
    """Such a page is as one without a film, or looks beside itself."""
    page = storyboard(tmp_path / "x.cinecut", "x", film_path=path)

    for link in re.findall('data-film="([^"]*)"', page.read_text("utf-8")):
        assert urljoin(page.as_uri(), link).startswith(tmp_path.as_uri())


def test_results_elsewhere_lead_to_the_film(page: Page, films: dict[str, Path], tmp_path: Path):
    """By a relative path, so both may move together; `..` of a name is no film."""
    film = tmp_path / "top" / "films" / "movie.webm"
    film.parent.mkdir(parents=True)
    os.link(films["vp9.webm"], film)
    job = plan_job(film, RunSettings(output_dir=tmp_path / "top" / "results"), {})
    storyboard(job.folder, film.name, **job.run.details)
    moved = (tmp_path / "top").rename(tmp_path / "moved")

    page.open(moved / "results" / "movie.webm.cinecut" / "storyboard.html")
    click_picture(page, 2)

    page.wait(f"{IS_OPEN} && {CLOCK} > 1.2")
    page.open(storyboard(tmp_path / "other.cinecut", ".."))
    click_picture(page, 2)
    assert page.texts("#viewer .seen") == ["Shot 2 & <b>."]
    assert not page.js("Boolean(filmPlayer())")
    assert page.complaints == []


def shifted(film: Path, path: Path, shift_s: float) -> Path:
    """Copy `film` so that its clock begins at `shift_s`."""
    with av.open(str(film)) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts += round(shift_s / packet.time_base)
                packet.dts += round(shift_s / packet.time_base)
                packet.stream = stream
                copy.mux(packet)
    return path


def varying(path: Path) -> Path:
    """Write a film of frames that last from 1/60 to 1/7 of a second."""
    lengths = [Fraction(1, 60), Fraction(1001, 24000), Fraction(1, 7), Fraction(1, 25)]
    times = [sum(lengths, Fraction(0)) * (i // 4) + sum(lengths[: i % 4]) for i in range(150)]
    return make_film(path, THUMBS[:150], replace(VP9, times=times))


@pytest.mark.parametrize("kind", ["starts late.webm", "starts late.mp4", "varies.mp4"])
def test_the_picture_that_plays_is_the_keyframe(
    page: Page, films: dict[str, Path], tmp_path: Path, kind: str
):
    """By the time that players show, whatever the file's clock and however long frames last."""
    film = tmp_path / kind
    if kind.startswith("varies"):
        varying(film)
    else:
        shifted(films["vp9.webm"], film, 5.0)
    job = plan_job(film, RunSettings(), {})
    with KeyframeScan(film, tmp_path / "frames", KeyframeSettings()) as scan:
        keyframes = list(scan)
    scenes = [replace(scene(i, 0), keyframe=key) for i, key in enumerate(keyframes)]
    page.open(storyboard(job.folder, film.name, scenes, **job.run.details))

    page.js(f"{VIDEO}.play = async () => {{}}")
    for at in (1, len(keyframes) - 2):
        page.js(f"playFrom(board.scenes[{at}])")
        there = f"Math.abs(now() - {keyframes[at].timestamp_s}) < 0.01"
        page.wait(f"{there} && !{VIDEO}.seeking && {VIDEO}.readyState > 1")
        expected = index_of(Path(keyframes[at].frame_path).read_bytes())
        assert shown_index(page, tmp_path) == expected
    assert page.complaints == []


def test_the_bar_has_chapters_and_hits_and_the_descriptions_can_be_shown(
    page: Page, films: dict[str, Path], tmp_path: Path
):
    """Captions are those of the WebVTT file; one skipped scene has none."""
    path = beside(films, "vp9.webm", tmp_path)
    scenes = scenes_of()
    scenes[3] = scene(3, 1.7, skip=Skip("timeout", "No reply."))
    scenes[3] = replace(scenes[3], part=0)
    lines = [path.with_name("scenes.jsonl").read_text("utf-8").splitlines()[0] + "\n"]
    path.with_name("scenes.jsonl").write_text("".join([*lines, *map(scene_to_line, scenes)]))
    export(path.parent, ["html"])
    page.open(path)
    assert page.js("document.querySelector('#player .chapters').getAttribute('d')") == (
        "M20.00 0V1M520.00 0V1"
    )

    page.press("/")
    page.type('"shot 4" OR')
    page.press("Escape")
    page.type('"shot 4 "')
    hits = page.js("document.querySelector('#player .hits').getAttribute('d')")
    page.press("Escape")
    page.js("document.activeElement.blur()")
    click_picture(page, 10)
    page.wait(f"{IS_OPEN} && {CLOCK} > 5.3")
    page.click("#player-captions")

    assert hits == "M220.00 0V1"
    assert page.texts("#player-chapter") == ["Part 2"]
    cues = f"Array.from({VIDEO}.textTracks[0].cues)"
    assert page.js(f"{cues}.length") == 19
    assert page.js(f"(c => [c.startTime, c.endTime, c.text])({cues}[0])") == [
        *(0.2, 0.7),
        "Shot 0 &amp; &lt;b>.\nIt chases a gull.",
    ]
    page.wait(f"{VIDEO}.textTracks[0].activeCues.length === 1")
    page.js("document.getElementById('player-seek').focus()")
    page.press("Home")
    page.wait(f"{CLOCK} < 1")
    page.click("#player-captions")
    assert page.js(f"{VIDEO}.textTracks[0].mode") == "disabled"
    assert page.complaints == []


def test_thousands_of_scenes_open_as_fast_as_without_the_film(page: Page, tmp_path: Path):
    """By the work of the page's thread, the better of two tries each, turn and turn about."""
    scenes = [replace(one, part=None) for one in scenes_of(3000, 9000.0)]
    paths = [
        storyboard(tmp_path / name, film, scenes)
        for name, film in (("with", "movie.webm"), ("without", ".."))
    ]
    page.call("Performance.enable", timeDomain="threadTicks")
    work: list[list[float]] = [[], []]
    for _ in range(2):
        for path, tries in zip(paths, work, strict=True):
            page.open(Path(os.devnull))
            began = task_s(page)
            page.open(path)
            page.settle()
            tries.append(task_s(page) - began)
    assert min(work[0]) < 1.5 * min(work[1])


def task_s(page: Page) -> float:
    """Return for how long the page's thread has worked, in seconds of the processor."""
    metrics = page.call("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
def test_it_is_used_from_the_keyboard_and_named(
    page: Page, films: dict[str, Path], tmp_path: Path, width: int, scheme: str
):
    """The focus goes to the player and comes back; nothing hangs over the edge."""
    page.size(width, 800)
    page.media(scheme=scheme)
    page.open(beside(films, "vp9.webm", tmp_path))

    page.press("j")
    page.press("j")
    page.press("P")
    page.wait(f"{IS_OPEN} && {CLOCK} > 0.7")

    assert page.js("document.activeElement.id") == "player-toggle"
    page.press("Enter")
    assert page.js(f"{VIDEO}.paused")
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {(n["role"]["value"], n["name"]["value"]) for n in tree if n.get("name")}
    assert {("region", "Player"), ("slider", "Position in the film")} <= named
    assert {("button", "Play"), ("button", "Close the player")} <= named
    value = "document.getElementById('player-seek').getAttribute('aria-valuetext')"
    assert re.fullmatch("0:0[0-4] of 0:10, Part 1", page.js(value))
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.js(
        "(b => b.left >= 0 && b.right <= innerWidth && b.bottom <= innerHeight)"
        "(document.getElementById('player').getBoundingClientRect())"
    )
    lit = page.texts(".lit .seen")
    page.click("#player-picture")
    assert page.texts("#viewer .seen") == lit
    page.press("P")
    page.wait(f"!{VIDEO}.paused && !document.getElementById('viewer').open")
    page.click("#player-full")
    page.wait("document.fullscreenElement?.id === 'player'")
    page.press("Escape")
    page.wait("!document.fullscreenElement")
    assert page.js(IS_OPEN)
    page.press("Escape")
    assert not page.js(IS_OPEN)
    assert page.texts(".scene:focus .seen") == lit
    assert page.js("document.querySelector('.lit')") is None
    page.press("Enter")
    assert page.texts("#viewer .seen") == lit
    assert page.complaints == []
