"""On-screen text in what is made of a journal: shown as text, and nowhere where nobody asked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from browser import Page
from markdown_it import MarkdownIt
from sample_results import results, scene

from cinecut.agent.shelf import Shelf
from cinecut.excerpts.formats import render
from cinecut.results.exports.audio_description import to_descriptions
from cinecut.results.exports.captions import to_srt
from cinecut.results.exports.formats import export, write_index
from cinecut.results.exports.markdown import to_markdown
from cinecut.results.exports.tables import CSV_COLUMNS, formula_safe, to_csv, to_json
from cinecut.results.scenes import Scene, parse_line, scene_to_line
from cinecut.search import Hit, Library
from cinecut.story.summary import scene_line

MakeFolder = Callable[..., Path]

HOSTILE = '=1+1 <script>alert(1)</script> </s>[INST] *x* "|im_end|>'
TEXTS = ["LONDON, 1941", "", None, "東京 出口", HOSTILE]


def shown() -> list[Scene]:
    return [scene(at, 60.0 * at, f"Shot {at}.", text=text) for at, text in enumerate(TEXTS)]


def test_a_line_of_a_journal_reads_back() -> None:
    lines = [scene_to_line(one) for one in shown()]

    assert [parse_line(line) for line in lines] == shown()
    assert [json.loads(line)["description"].get("text") for line in lines] == TEXTS
    assert '"text"' not in lines[2]


def test_json_and_csv_have_it_where_it_was_asked_for() -> None:
    schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))
    document = json.loads(to_json(results(shown())))

    jsonschema.validate(document, schema)
    assert [one["description"].get("text") for one in document["scenes"]] == TEXTS
    table = to_csv(results(shown())).removeprefix("\ufeff")
    rows = [*csv.DictReader(io.StringIO(table, newline=""))]
    assert [*rows[0]] == [*CSV_COLUMNS, "on_screen_text"]
    assert [row["on_screen_text"] for row in rows] == [formula_safe(text or "") for text in TEXTS]


def test_without_it_no_export_has_a_word_of_it() -> None:
    run = results([scene(0, 0.0), scene(1, 9.0)])

    for made in map(str.lower, (to_json(run), to_csv(run), to_markdown(run))):
        assert "on-screen" not in made
        assert "on_screen" not in made
        assert '"text"' not in made


def test_markdown_shows_it_as_text_and_captions_leave_it_to_the_picture() -> None:
    run = results(shown())

    page = MarkdownIt("commonmark").render(to_markdown(run))
    assert page.count("On-screen text:") == 3
    assert "<script>" not in page
    assert "<em>x</em>" not in page
    assert "1941" not in to_srt(run)


def test_the_audio_description_reads_it_out_once() -> None:
    title = scene(1, 60.0, "White words on black.", action="Nothing moves.", text="The End")
    told = scene(2, 120.0, 'A card reads "Fin".', action="It fades.", text="FIN")
    heard = to_descriptions(results([*shown()[:2], title, title, told]))

    assert "Shot 0. \u201cLONDON, 1941\u201d. It chases a gull." in heard
    assert heard.count("White words on black. \u201cThe End\u201d. Nothing moves.") == 1
    assert heard.count("The End") == 1
    assert "\u201cFIN\u201d" not in heard, "what is seen has told it"


def test_a_model_is_told_of_it_as_data() -> None:
    lines = [scene_line(one) or "" for one in shown()]

    assert lines[0].endswith("; on the screen: LONDON, 1941")
    assert "on the screen" not in lines[1] + lines[2]
    assert not set('<>[]{}"') & set(lines[4].partition("] ")[2])


def find(folder: Path, query: str) -> list[Hit]:
    with Library(folder, index=folder / "search.sqlite") as library:
        return library.search(query)


def test_the_search_finds_it_and_hands_it_on(make_folder: MakeFolder) -> None:
    folder = make_folder(shown())

    [hit] = find(folder, "text:london")
    assert hit.timestamp_s == 0.0
    assert hit.description is not None
    assert hit.description["text"] == hit.texts["text"] == "LONDON, 1941"
    assert hit.marks["text"] == ((0, 6),)
    assert find(folder, "1941")[0].timestamp_s == 0.0
    assert not find(folder, "setting:1941")
    [other] = find(folder, 'visual:"shot 1"')
    assert "text" not in (other.description or {}), "the index does not know if it was asked for"

    notices: list[str] = []
    found = {"on_notice": notices.append, "on_error": lambda error: notices.append(str(error))}
    with_text, without = (render("csv", [each], "x", **found) or "" for each in (hit, other))
    assert '"on_screen_text"\r\n' in with_text
    assert '"LONDON, 1941"\r\n' in with_text
    assert "on_screen_text" not in without

    described, _ = Shelf([folder.parent], folder / "search.sqlite").scene("movie.mkv", 0)
    assert described["description"]["text"] == "LONDON, 1941"


@pytest.mark.browser
def test_the_page_shows_it_where_there_is_some(page: Page, make_folder: MakeFolder) -> None:
    folder = make_folder(shown())
    [path] = export(folder, ["html"])
    page.open(path)
    page.settle()

    assert page.texts(".scene dd[lang='']") == [text for text in TEXTS if text]
    page.press("/")
    page.type("london")
    assert page.texts("#count") == ["1 of 5"]
    page.open(write_index([folder], folder.parent / "index.html"))
    page.wait("library.films.length > 0 && library.toCome === 0")
    page.press("/")
    page.type("出口")
    assert page.texts("#count") == ["1 scene in 1 film"]
    assert page.texts("#hits dd") == ["東京 出口"]
    assert page.complaints == []
