"""What a search found as a person meets it: in a real Chromium, from a file of its own."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import Page
from sample_results import scene

from cinecut.errors import WriteError
from cinecut.excerpts.page import write_page
from cinecut.models import Skip
from cinecut.results.exports.formats import export
from cinecut.search import Library

pytestmark = pytest.mark.browser

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def passing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for passing files."""
    folder = tmp_path / "passing"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def open_hits(page: Page, folder: Path, query: str) -> Path:
    """Search and open what was found."""
    with Library(folder.parent) as library:
        path = write_page(library.search(query), query)
    page.open(path)
    page.settle()
    return path


def test_it_shows_the_hits_and_leads_to_their_scenes(
    page: Page, make_folder: MakeFolder, passing: Path
) -> None:
    skipped = scene(0, 1.0, skip=Skip("timeout", ""))
    folder = make_folder([skipped, scene(1, 2.0, "Snow."), scene(2, 83.5, "A red car, a dog.")])
    export(folder, ["html"])
    before = sorted(folder.rglob("*"))

    path = open_hits(page, folder, "red cars")

    assert path.parent == passing
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert page.texts("h1") == ["red cars"]
    assert page.texts(".scene .seen") == ["A red car, a dog."]
    assert page.texts("mark") == ["red", "car"]
    assert page.js("document.images[0].naturalWidth") == 64
    page.click(".time")
    page.wait("document.title.includes('Storyboard') && location.hash === '#scene-2'")
    assert page.complaints == []
    assert sorted(folder.rglob("*")) == before


def test_without_a_storyboard_it_leads_to_the_picture_or_nowhere(
    page: Page, make_folder: MakeFolder, tmp_path: Path
) -> None:
    """A link in the place of the page leads anywhere, and is not followed."""
    folder = make_folder([scene(0, 1.0, "A red car."), scene(1, 2.0, "Two red cars.")])
    (folder / "frames" / "000002000.jpg").unlink()
    (tmp_path / "other.html").write_text("somebody else's")
    (folder / "storyboard.html").symlink_to(tmp_path / "other.html")

    open_hits(page, folder, "red car")

    links = page.js("[...document.querySelectorAll('.scene a.time')].map(a => a.href)")
    assert [unquote(urlsplit(link).path) for link in links] == [
        str(folder / "frames" / "000001000.jpg")
    ]
    assert len(page.texts(".frame.missing")) == 1
    assert page.complaints == []


def test_foreign_text_is_shown_as_text(page: Page, make_folder: MakeFolder) -> None:
    """And the page's policy stops what escaping would miss."""
    evil = "</script></style>--><script>window.broken = 1</script><b onclick=x> red </mark><i>"
    name = "<img src=x onerror=alert(1)> red.mkv"
    told = {"mood": evil, "action": evil, "setting": '"><svg/onload=alert(1)>', "text": evil}
    scenes = [scene(0, 1.0, evil, **told)]
    folder = make_folder(scenes, film=name)

    path = open_hits(page, folder, 'red <script>broken=3</script> "<b>"')

    assert page.texts(".scene .seen") == [evil]
    assert page.texts(".scene dd")[-1] == evil
    assert page.texts(".film") == [name]
    assert page.texts("h1") == ['red <script>broken=3</script> "<b>"']
    assert page.js("window.broken === undefined && !document.querySelector('main i, main b, svg')")
    assert page.complaints == []

    planted = "<script>window.broken = 1</script><img src='https://example.org/x'>"
    path.write_text(path.read_text("utf-8").replace("<h1", f"{planted}<h1"), "utf-8")
    page.open(path)
    page.settle()
    assert page.js("window.broken === undefined")
    assert len(page.complaints) >= 2


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_hangs_over_the_edge(page: Page, make_folder: MakeFolder, width: int) -> None:
    long = scene(0, 1.0, "red " + "x" * 400, mood="y" * 200, setting="ط" * 300)
    page.size(width, 800)

    open_hits(page, make_folder([long], film="z" * 200 + ".mkv"), "red")

    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    parts = "[...document.querySelectorAll('h1, .film, .seen, .scene dd')]"
    assert page.js(f"{parts}.every(part => part.scrollWidth <= part.clientWidth)")


def test_a_page_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(WriteError, match="TMPDIR"):
        write_page([], "red car")
