"""The storyboard as a person meets it: in a real Chromium, from a file, without a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Page
from sample_results import scene

from cinecut.models import KEYFRAME_SOURCES, DialogueLine, Skip
from cinecut.results.exports.formats import export, write_index
from cinecut.results.scenes import Scene

pytestmark = pytest.mark.browser

MakeFolder = Callable[..., Path]

SHOWN = ".scene .seen"
FOCUS = "document.activeElement.id"
NAMES = ["a heron by the pond", "a café at night", "two dancers", "كلب على الشاطئ", "rain on glass"]


def film(count: int = 40, length_s: float = 600.0) -> list[Scene]:
    """Return scenes at even distances, the last one skipped."""
    scenes = [
        scene(
            i,
            length_s * i / count,
            f"Shot {i}: {NAMES[i % len(NAMES)]}.",
            mood="tense, dark" if i % 4 == 0 else "calm",
        )
        for i in range(count)
    ]
    gone = Skip("timeout", "No reply within <b>60 s</b>.")
    return [*scenes[:-1], scene(count - 1, scenes[-1].keyframe.timestamp_s, skip=gone)]


def open_storyboard(page: Page, folder: Path) -> Path:
    """Write the storyboard in `folder` and open it."""
    [path] = export(folder, ["html"])
    page.open(path)
    page.settle()
    return path


def test_it_opens_from_a_file_without_network_and_complaints(page: Page, make_folder: MakeFolder):
    """Pictures load from beside the page, and nothing from anywhere else."""
    folder = make_folder(film())

    path = open_storyboard(page, folder)
    page.wait("document.querySelector('.scene img').naturalWidth === 64")

    assert page.requests
    assert all(url.startswith(path.parent.as_uri()) for url in page.requests)
    assert page.complaints == []
    assert len(page.texts(SHOWN)) == 40
    assert page.texts("#count") == ["40 scenes"]


def test_search_narrows_as_one_types(page: Page, make_folder: MakeFolder):
    """All words count, in any field, whatever their case and accents; Escape brings all back."""
    open_storyboard(page, make_folder(film()))

    page.press("/")
    page.type("CAFE shot")
    assert [f"Shot {i}: a café at night." for i in range(1, 39, 5)] == page.texts(SHOWN)
    assert page.texts("#count") == ["8 of 40"]
    page.press("Escape")
    page.type("شاطئ")
    assert [f"Shot {i}: كلب على الشاطئ." for i in range(3, 39, 5)] == page.texts(SHOWN)
    page.press("Escape")
    page.type("nothing like this")
    assert page.texts(SHOWN) == []
    assert page.js("document.getElementById('nothing').checkVisibility()")
    page.press("Escape")
    assert len(page.texts(SHOWN)) == 40


def test_what_is_said_stands_under_the_scene_and_is_found(page: Page, make_folder: MakeFolder):
    """In its own script and direction, as text whatever it holds, and in the viewer too."""
    said = ["- Où est le café ?", "<img src=x onerror=alert(1)>", "سلم، أين الجسر؟"]
    lines = tuple(DialogueLine(i, i + 1, text) for i, text in enumerate(said))
    scenes = film()
    scenes[7], scenes[-1] = (
        replace(scenes[7], dialogue=lines),
        replace(scenes[-1], dialogue=lines[:1]),
    )
    open_storyboard(page, make_folder(scenes))

    assert page.texts("#scene-7 .said p") == said
    shown = "[...document.querySelectorAll('#scene-7 .said p')].map(p => getComputedStyle(p)."
    assert page.js(f"{shown}direction)") == ["ltr", "ltr", "rtl"]
    page.press("/")
    page.type("ou est le cafe")
    assert page.js("board.matching.map(scene => scene.element.id)") == ["scene-7", "scene-39"]
    assert "café" in page.js(
        "Array.from(CSS.highlights.get('found'), range => range.startContainer.data.slice("
        "range.startOffset, range.endOffset))"
    )
    page.press("Escape")
    page.type("الجسر")
    assert page.js("board.matching.map(scene => scene.element.id)") == ["scene-7"]
    page.wait("CSS.highlights.get('found').size === 1")
    page.js("document.getElementById('scene-7').focus()")
    page.press("Enter")
    assert page.texts("#viewer .said p") == said
    assert page.complaints == []


def test_filters_narrow_by_mood_source_and_skipped(page: Page, make_folder: MakeFolder):
    """Moods of one scene count each; filters narrow each other, and Clear lifts them."""
    open_storyboard(page, make_folder(film()))

    page.click("#mood-button")
    page.click("[data-value='tense']")
    assert [f"Shot {i}:" for i in range(0, 40, 4)] == [
        t[: t.index(":") + 1] for t in page.texts(SHOWN)
    ]
    page.click("[data-value='scene_change']")
    changes = [i for i in range(0, 40, 4) if KEYFRAME_SOURCES[i % 3] == "scene_change"]
    assert len(changes) == len(page.texts(SHOWN))
    assert page.js("document.querySelector('[data-value=tense]').ariaPressed") == "true"
    page.click("#clear")
    page.click("[data-filter='skipped']")
    assert page.texts(".scene .reason") == ["No reply in time. No reply within <b>60 s</b>."]
    assert len(page.texts(".scene")) == 1


def test_a_click_on_the_timeline_scrolls_to_the_scene(page: Page, make_folder: MakeFolder):
    """To the one nearest in time, and among those that match."""
    open_storyboard(page, make_folder(film()))

    page.click("#timeline", at=0.75)

    assert page.js("document.querySelector('.current').id") == "scene-30"
    top, bar = page.js(
        "[document.getElementById('scene-30').getBoundingClientRect().top,"
        " document.getElementById('bar').getBoundingClientRect().bottom]"
    )
    assert bar <= top < 900 / 2
    assert "Shot 30" in page.js("document.getElementById('timeline').ariaValueText")
    page.press("/")
    page.type("dancers")
    page.click("#timeline", at=0.75)
    assert page.js("document.querySelector('.current').id") == "scene-32"


def test_foreign_text_is_shown_as_text(page: Page, make_folder: MakeFolder):
    """Neither a description nor a film's name can run, load or style anything."""
    evil = "</script></style></textarea>--><script>window.broken = 1</script><b onclick=x>"
    name = "<img src=x onerror=alert(1)>.mkv"
    told = {"mood": evil, "action": evil, "setting": '"><svg/onload=alert(1)>', "text": evil}
    scenes = [scene(0, 1.0, evil, **told)]
    folder = make_folder(scenes, film=name)

    open_storyboard(page, folder)
    page.click("#timeline", at=0.1)

    assert [name] == page.texts("h1")
    assert [evil] == page.texts(SHOWN)
    assert page.texts("dd[lang='']") == [evil]
    assert page.js("window.broken === undefined && document.images.length < 20")
    assert f"{name} · Storyboard" == page.js("document.title")
    assert page.complaints == []
    page.open(write_index([folder], folder.parent / "index.html"))
    assert [name] == page.texts("h2")
    assert page.complaints == []


def test_its_policy_stops_what_escaping_would_miss(page: Page, make_folder: MakeFolder):
    """A script, a handler or a remote picture that got into the page is refused."""
    path = open_storyboard(page, make_folder(film(3)))
    planted = (
        "<script>window.broken = 1</script><img src='https://example.org/x' onerror='broken=2'>"
    )
    text = path.read_text("utf-8").replace("<h1", f"{planted}<h1")
    path.write_text(text, "utf-8")

    page.open(path)
    page.settle()

    assert page.js("window.broken === undefined")
    assert len(page.complaints) >= 2


def test_it_is_used_from_the_keyboard(page: Page, make_folder: MakeFolder):
    """Letters anywhere, arrows among the scenes, one stop for the Tab key, dialogs that close."""
    open_storyboard(page, make_folder(film()))
    columns = page.js(
        "board.matching.findIndex(s => s.element.offsetTop > board.matching[0].element.offsetTop)"
    )

    page.press("j")
    page.press("j")
    assert page.js(FOCUS) == "scene-1"
    page.press("k")
    page.press("ArrowRight")
    page.press("ArrowDown")
    assert f"scene-{1 + columns}" == page.js(FOCUS)
    page.press("End")
    assert page.js(FOCUS) == "scene-39"
    page.press("Home")
    page.press("Enter")
    assert "Shot 0: a heron by the pond." in page.texts("#viewer .seen")
    page.press("ArrowRight")
    assert "Shot 1: a café at night." in page.texts("#viewer .seen")
    page.press("Escape")
    assert page.js(FOCUS) == "scene-1"
    page.press("?")
    assert page.js("document.getElementById('help').open")
    page.press("Escape")
    assert not page.js("document.getElementById('help').open")
    assert page.js("document.querySelectorAll('#scenes [tabindex=\"0\"]').length") == 1
    page.press("/")
    page.type("j?/")
    assert page.js("document.getElementById('search').value") == "j?/"


def test_it_follows_the_system_between_light_and_dark_until_told(
    page: Page, make_folder: MakeFolder
):
    """The choice outlives the page."""
    path = open_storyboard(page, make_folder(film(3)))
    ground = "getComputedStyle(document.body).backgroundColor"
    page.media(scheme="light")
    light = page.js(ground)
    page.media(scheme="dark")
    dark = page.js(ground)

    assert light != dark
    page.press("t")
    page.wait(f"{ground} === '{light}'")
    # The browser stores the choice in its own time, and may lose one with a page that goes at once.
    deadline_s = time.monotonic() + 30
    page.open(path)
    while page.js(ground) != light:
        assert time.monotonic() < deadline_s, page.js("localStorage.getItem('cinecut-theme')")
        page.press("t")
        time.sleep(1)
        page.open(path)
    page.click("#theme")
    page.media(scheme="light")
    page.wait(f"{ground} === '{dark}'")


def test_missing_pictures_leave_a_plate_and_lose_no_words(page: Page, make_folder: MakeFolder):
    """Only those that are in sight were even looked for."""
    open_storyboard(page, make_folder(film(), pictures=False))

    page.wait("document.querySelector('.scene .frame').classList.contains('missing')")

    assert len(page.texts(SHOWN)) == 40


def test_a_picture_that_is_none_of_the_folder_leaves_a_plate(page: Page, make_folder: MakeFolder):
    """Nothing is loaded for it, in the viewer neither, where the next one shows its own."""
    folder = make_folder(film())
    (folder / "frames" / "000000000.jpg").unlink()
    (folder / "frames" / "000000000.jpg").symlink_to(folder / "frames" / "000015000.jpg")
    path = open_storyboard(page, folder)

    page.press("j")
    page.press("Enter")
    page.wait("document.querySelector('#viewer .frame').classList.contains('missing')")
    page.press("ArrowRight")
    page.wait("document.querySelector('#viewer img').naturalWidth === 64")

    assert not page.js("document.querySelector('#viewer .frame').classList.contains('missing')")
    loaded = {url.removeprefix(path.parent.as_uri()) for url in page.requests}
    assert not {"/null", "/frames/000000000.jpg"} & loaded
    assert page.complaints == []


def test_thousands_of_scenes_cost_what_is_in_sight(page: Page, make_folder: MakeFolder):
    """Pictures load as one comes near them, and search words are marked only where one looks."""
    folder = make_folder(film(3000, 9000.0), pictures=False, length_s=9000.0)

    open_storyboard(page, folder)
    pictures = {url for url in page.requests if url.endswith(".jpg")}
    page.press("/")
    page.type("shot")
    page.wait("CSS.highlights.get('found').size > 0")

    assert 0 < len(pictures) < 100
    assert page.texts("#count") == ["2,999 of 3,000"]
    assert page.js("CSS.highlights.get('found').size") < 100
    page.click("#timeline", at=0.5)
    page.wait("[...board.inView].some(scene => scene.id === 'scene-1500')")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_hangs_over_the_edge(page: Page, make_folder: MakeFolder, width: int):
    """Even with one word as long as a line, and with every panel open."""
    scenes = film(12)
    scenes[3] = scene(3, 100.0, "x" * 400, mood="y" * 30, setting="ط" * 300)
    page.size(width, 800)
    open_storyboard(page, make_folder(scenes, film="z" * 200 + ".mkv"))

    page.click("#mood-button")
    page.js("document.querySelector('footer details').open = true")

    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    parts = "[...document.querySelectorAll('h1, .seen, .scene dd, .chip')]"
    assert page.js(f"{parts}.every(part => part.scrollWidth <= part.clientWidth)")
    page.press("j")
    page.press("Enter")
    assert page.js("document.getElementById('viewer').getBoundingClientRect().right <= innerWidth")


def test_it_prints_the_scenes_that_are_shown(page: Page, make_folder: MakeFolder, tmp_path: Path):
    """On white, without the controls, all of them and not only those in sight."""
    open_storyboard(page, make_folder(film()))
    page.media(kind="print", scheme="dark")

    assert page.texts(".controls, .tools, dialog") == []
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (
        page.js("getComputedStyle(document.querySelector('.scene')).contentVisibility") == "visible"
    )
    page.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_it_reads_without_scripts(page: Page, make_folder: MakeFolder):
    """Every scene is in the page itself; only the controls need scripts, and then hide."""
    page.call("Emulation.setScriptExecutionDisabled", value=True)

    [path] = export(make_folder(film()), ["html"])
    page.open(path)

    assert len(page.texts(SHOWN)) == 40
    assert page.texts(".needs-script") == []


def test_the_index_shows_films_and_leads_to_them(page: Page, make_folder: MakeFolder):
    """A film whose pictures are gone is there all the same."""
    folder = make_folder(film(), pictures=False, film="فيلم 🎬.mkv")
    export(folder, ["html"])

    page.open(write_index([folder], folder.parent / "index.html"))
    summary = " ".join(page.texts(".films .summary")[0].split())
    page.click(".films a")
    page.wait("document.title.includes('Storyboard') && document.readyState === 'complete'")

    assert summary == "10:00 40 scenes 1 skipped"
    assert page.texts("h1") == ["فيلم 🎬.mkv"]
