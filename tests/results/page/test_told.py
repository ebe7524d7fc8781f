"""What a storyboard tells of its film, in a real Chromium: synopsis, chapters, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from browser import Page
from sample_results import scene, sentence, step

from cinecut.results.entries import SummaryEntry
from cinecut.results.exports.formats import export
from cinecut.results.scenes import Scene

pytestmark = pytest.mark.browser

MakeFolder = Callable[..., Path]

EVIL = [
    "<script>window.broken = 1</script>",
    '<img src=x onerror="window.broken = 1">',
    "W" * 400,
    "كلب على الشاطئ",
    "\u202egnp.exe",
]
IN_SIGHT = "(name => { const box = document.querySelector(name).getBoundingClientRect();"
IN_SIGHT += " return box.top >= 0 && box.top < innerHeight; })"


def film(count: int) -> list[Scene]:
    return [scene(at, 10.0 * at, f"Shot {at}.") for at in range(count)]


def told(count: int, chapters: int, words: Sequence[str] = ("Boats",)) -> list[SummaryEntry]:
    """A summary of so many scenes, in whose texts the words take turns."""
    size = count // chapters
    steps = [
        step(
            *("chapter", size * at, size * at + size - 1),
            title=words[at % len(words)],
            sentences=[sentence(f"{word} come back.", size * at) for word in words[:2]],
        )
        for at in range(chapters)
    ]
    synopsis = [sentence(f"It tells of {word}.", 0, count - 1) for word in words]
    elements = [{"name": word, "kind": "object", "scenes": [0, size]} for word in words]
    return [
        *steps,
        step("synopsis", 0, count - 1, sentences=synopsis),
        step("elements", 0, count - 1, elements=elements),
    ]


def open_board(page: Page, folder: Path) -> None:
    [path] = export(folder, ["html"])
    page.open(path)
    page.settle()


@pytest.mark.parametrize("chapters", [3, 40])
def test_the_synopsis_is_first_and_chapters_lead_to_scenes(
    page: Page, make_folder: MakeFolder, chapters: int
) -> None:
    """Many chapters scroll beside it, and the film's first scene stays as near."""
    open_board(page, make_folder(film(120), steps=told(120, chapters)))
    size = 120 // chapters

    for width in (1280, 400):
        page.size(width, 800)
        page.settle()
        tops = "['.synopsis', '.rail', '.score'].map(name => document.querySelector(name)"
        synopsis, rail, score = page.js(f"{tops}.getBoundingClientRect().top)")
        assert synopsis <= rail < score
        assert page.js("document.querySelector('.rail').offsetHeight <= 500")
        assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.texts(".rail h2") == [f"{chapters} chapters"]
    assert len(page.texts(".rail li")) == chapters
    scrolls = "(rail => rail.scrollHeight > rail.clientHeight)(document.querySelector('.rail ol'))"
    assert page.js(scrolls) == (chapters == 40)

    page.js("document.querySelector('.rail li:last-child a').scrollIntoView({ block: 'nearest' })")
    page.click(".rail li:last-child .chapter")

    page.wait(f"{IN_SIGHT}('#scene-{120 - size}')")
    assert page.js("document.querySelector('.current').id") == f"scene-{120 - size}"
    assert page.complaints == []


def test_a_link_leads_to_a_scene_that_the_search_has_hidden(
    page: Page, make_folder: MakeFolder
) -> None:
    open_board(page, make_folder(film(40), steps=told(40, 4)))
    page.press("/")
    page.type("nothing like this")

    page.click(".synopsis a:last-child")

    page.wait(f"{IN_SIGHT}('#scene-39')")
    assert page.texts("#count") == ["40 scenes"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_what_a_model_tells_is_text_and_keeps_to_its_place(
    page: Page, make_folder: MakeFolder, width: int, scheme: str
) -> None:
    page.size(width, 800)
    page.media(scheme=scheme)
    open_board(page, make_folder(film(20), steps=told(20, 5, EVIL)))

    assert page.texts(".rail bdi") == EVIL
    assert page.texts(".elements bdi") == EVIL
    assert page.texts(".synopsis span[dir]") == [f"It tells of {word}." for word in EVIL]
    assert page.js("window.broken === undefined")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    boxes = "[...document.querySelectorAll('.told, .told *')]"
    assert page.js(f"{boxes}.every(box => box.getBoundingClientRect().right <= innerWidth)")
    assert page.js("getComputedStyle(document.querySelectorAll('.rail bdi')[3]).direction") == "rtl"
    assert page.complaints == []
    luma = "(colour => colour.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0))"
    words = page.js(f"{luma}(getComputedStyle(document.querySelector('.synopsis')).color)")
    assert (words > 384) == (scheme == "dark")
