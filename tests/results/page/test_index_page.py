"""The index page in a real Chromium: what its search finds, shows and keeps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Page
from hostile_results import KINDS, make_place
from sample_results import scene

from cinecut.errors import OutputError
from cinecut.models import DialogueLine, Skip
from cinecut.results.exports import formats
from cinecut.results.exports.formats import export, write_index
from cinecut.results.page.texts import scene_texts
from cinecut.results.scenes import Scene, read_results

MakeFolder = Callable[..., Path]

NAMES = "#hits .film"
SEEN = "#hits .seen"


def said(index: int, line: str, seen: str = "Two people.") -> Scene:
    spoken = DialogueLine(float(index), index + 1.0, line)
    return replace(scene(index, float(index), seen, action="They talk."), dialogue=(spoken,))


@pytest.fixture
def make_film(make_folder: MakeFolder, tmp_path: Path) -> MakeFolder:
    """Write a results folder that bears the film's name."""

    def make(name: str, scenes: list[Scene]) -> Path:
        folder = make_folder(scenes, film=name, pictures=False)
        return folder.rename(tmp_path / f"{len(list(tmp_path.iterdir()))}.cinecut")

    return make


@pytest.fixture
def library(make_film: MakeFolder) -> list[Path]:
    """Four films, of 3,000 scenes together."""
    shots = [scene(number, number * 2.0, f"Shot {number} of a street.") for number in range(2997)]
    bridge = shots[:27]
    bridge[12] = scene(12, 3724.0, "A CAFÉ beside the old bridge.", action="A man sails away.")
    bridge[20] = scene(20, 4000.0, "A man.", action="He sits in a café.")
    bridge[21] = scene(21, 4002.0, "A decafé sign.", action="Rain.", setting="A bridge")
    harbour = [said(0, "Don\u2019t look back."), said(1, "Ahoy!", "A man sails.")]
    return [
        make_film("Bridge.mkv", bridge),
        make_film("Streets.mkv", shots[27:]),
        make_film("红灯笼.mkv", [scene(0, 0.0, "一个女人走过雨中的桥红灯笼在夜里亮着。")]),
        make_film("Harbour.mkv", harbour),
    ]


def open_index(page: Page, folders: list[Path], address: str = "") -> Path:
    path = write_index(folders, folders[0].parent / "index.html")
    page.open(path)
    page.wait("library.films.length > 0 && library.toCome === 0")
    return path


def complaints(page: Page) -> list[str]:
    """Return what the console says of the page, beside that pictures are not there."""
    return [each for each in page.complaints if "net::ERR_FILE_NOT_FOUND" not in each]


def look_for(page: Page, text: str) -> str:
    """Type `text` into the empty search field, and return what the page says of the hits."""
    page.press("Escape")
    page.press("/")
    page.type(text)
    return page.texts("#count")[0]


FOUND = {
    "shot": "2,994 scenes in 2 films",
    "SHOT 2996": "1 scene in 1 film",
    "man sai": "2 scenes in 2 films",
    "cafe": "3 scenes in 1 film",
    "bridge shot": "24 scenes in 1 film",
    "Cafe\u0301 bri": "3 scenes in 1 film",
    '"the old bridge"': "1 scene in 1 film",
    '"old the bridge"': "No scene matches",
    "灯笼在夜": "1 scene in 1 film",
    "don't look": "1 scene in 1 film",
    "harbour": "2 scenes in 1 film",
    "harbour ahoy": "1 scene in 1 film",
    "red, car.": "No scene matches",
    " ?! ": "",
}


def test_it_finds_all_words_in_every_film(library: list[Path], page: Page):
    """However they are accented or capitalised, and in scripts that have no blanks."""
    open_index(page, library)

    assert {text: look_for(page, text) for text in FOUND} == FOUND


def test_the_best_hits_come_first_and_lead_to_their_scene(page: Page, library: list[Path]):
    """What is seen before the rest, a word's beginning before its middle; then in film order."""
    export(library[0], ["html"])
    open_index(page, library)

    look_for(page, "cafe")

    assert page.texts(SEEN) == ["A CAFÉ beside the old bridge.", "A man.", "A decafé sign."]
    assert page.texts("#hits mark") == ["CAFÉ", "café", "café"]
    assert page.texts("#hits .time") == ["1:02:04", "1:06:40", "1:06:42"]
    assert page.texts(".films h2") == []
    page.press("Enter")
    page.lead("document.activeElement.click()")
    page.wait("document.title.includes('Storyboard') && document.readyState === 'complete'")
    page.settle()
    assert page.js("document.querySelector('.current').id") == "scene-12"
    page.lead("history.back()")
    page.wait("document.title === 'Storyboards' && hits.found.length === 3")
    assert page.js("document.getElementById('search').value") == "cafe"


def test_hits_are_shown_in_batches(page: Page, library: list[Path]):
    open_index(page, library)

    look_for(page, "shot")
    shown = len(page.texts(NAMES))
    page.js("document.getElementById('more').click()")

    assert (shown, len(page.texts(NAMES))) == (60, 120)
    assert page.texts("#more") == ["Show 60 more of 2,874"]
    assert "Shot 63 of a street." in page.js("document.activeElement.closest('.hit').textContent")


def test_it_is_used_from_the_keyboard_and_kept_in_the_address(page: Page, library: list[Path]):
    open_index(page, library)
    films = page.texts(".films h2")

    look_for(page, "man sails")
    page.wait("location.hash === '#q=man%20sails'")
    page.press("ArrowDown")
    page.press("j")
    page.press("ArrowUp")
    page.press("ArrowDown")
    assert page.js("document.activeElement.textContent").split() == ["1:02:04", "Bridge.mkv"]
    page.lead("history.back()")
    page.wait("document.getElementById('hits').children.length === 0")
    assert films == page.texts(".films h2")
    page.lead("history.forward()")
    page.wait("document.getElementById('hits').children.length === 2")
    page.press("Escape")
    assert page.js("location.hash") == ""
    assert films == page.texts(".films h2")
    assert complaints(page) == []


def test_an_address_with_words_shows_what_they_find(page: Page, library: list[Path]):
    path = write_index(library, library[0].parent / "index.html")

    page.call("Page.navigate", url=f"{path.as_uri()}#q=%E7%81%AF%E7%AC%BC")

    page.wait("document.querySelector('#hits .film') !== null")
    assert page.texts("#hits mark")[0] == "灯笼"


def test_foreign_text_stays_text(page: Page, make_film: MakeFolder):
    """Nothing that a film says can run, load, style or leave its place."""
    evil = "</script></template><script>window.broken = 1</script><img src=//x.test onerror=a()>"
    odd = f"{evil}\x1f\n\u2028\x00\ud800"
    spoken = said(1, odd, evil)
    skipped = scene(2, 2.0, skip=Skip("malformed", evil))
    folder = make_film(
        f"{evil}.mkv", [scene(0, 0.0, evil, mood=evil, action=evil), spoken, skipped]
    )
    open_index(page, [folder])

    assert look_for(page, "script") == "3 scenes in 1 film"
    assert page.texts(SEEN) == [evil, evil, "No description"]
    assert page.js("window.broken === undefined && document.images.length === 3")
    assert page.js("document.querySelector('#hits .said').textContent").startswith(evil)
    assert page.texts("#hits .frame.missing") == ["", "", ""]
    page.size(400, 850)
    assert page.js("document.documentElement.scrollWidth <= 400")
    assert all(address.startswith("file:") for address in page.requests)
    assert complaints(page) == []


def test_folders_of_somebody_else_are_searched_and_do_no_harm(page: Page, tmp_path: Path):
    """The kinds of `scripts/fuzz_results`, all on one page."""
    folders = []
    for number in range(len(KINDS) + 12):
        folder = make_place(tmp_path / str(number), number).folder
        with suppress(OutputError):
            read_results(folder)
            folders.append(folder)
    open_index(page, folders)

    for text in ("a", "script", "0"):
        assert "scene" in look_for(page, text)
    assert page.js("library.films.length") == len(folders)
    assert all(address.startswith(tmp_path.as_uri()) for address in page.requests)
    assert complaints(page) == []


def test_a_scene_is_one_line_whatever_it_says(make_film: MakeFolder):
    odd = "a\x1fb\nc\u2028d\x85e"
    folder = make_film("film.mkv", [said(0, odd, odd), scene(1, 1.0)])

    _, first, _, rest = scene_texts(read_results(folder)).split("\n")

    assert first.split("\x1f") == [
        "a b c d e",
        "calm",
        "They talk.",
        "A beach at dusk",
        "a b c d e",
    ]
    assert rest == ""


def test_what_is_too_much_to_search_is_told(
    page: Page, library: list[Path], monkeypatch: pytest.MonkeyPatch
):
    """Films are searched in the page's order, until their texts are too long together."""
    left = sum(len(scene_texts(read_results(folder))) for folder in library[:3])
    monkeypatch.setattr(formats, "MOST_SEARCHED_CHARS", left)
    open_index(page, library)

    assert page.texts(".limit") == ["The search covers the first 3 of 4 films."]
    assert look_for(page, "ahoy") == "No scene matches"
    assert look_for(page, "灯笼") == "1 scene in 1 film"
    assert len(page.texts(".limit")) == 1


def test_without_scripts_it_leads_to_the_films(page: Page, library: list[Path]):
    page.call("Emulation.setScriptExecutionDisabled", value=True)

    page.open(write_index(library, library[0].parent / "index.html"))

    assert len(page.texts(".films h2")) == 4
    assert page.texts(".needs-script") == []
