"""Parts of a film are told in every export, and only where they are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from browser import Page
from sample_results import results, scene

from cinecut.results.exports.captions import to_srt
from cinecut.results.exports.formats import export
from cinecut.results.exports.markdown import to_markdown
from cinecut.results.exports.tables import to_csv, to_json
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene, parse_line, read_results, scene_to_line

PARTS = [0, 0, 0, 1, 1, 2, 2, 2, 2]


def film(parts: list[int | None] = [*PARTS]) -> list[Scene]:  # noqa: B006 - it is not changed
    return [
        replace(scene(at, 400.0 * at, f"Shot {at}."), part=part) for at, part in enumerate(parts)
    ]


def test_a_journal_tells_them_when_it_is_finished(tmp_path: Path) -> None:
    scenes = film([None] * 9)
    with Journal(tmp_path / "movie.mkv.cinecut", results(scenes).run) as journal:
        for one in reversed(scenes):
            journal.append(one)
        assert [one.part for one in journal.in_film_order()] == [None] * 9
        journal.finish({"scenes": 9}, PARTS)

    assert [one.part for one in read_results(tmp_path / "movie.mkv.cinecut").scenes] == PARTS


@pytest.mark.parametrize("part", ["true", "-1", '"1"', "1.5", "1e3", "[]", "99999999999"])
def test_what_is_no_number_of_a_part_is_no_scene(part: str) -> None:
    line = scene_to_line(film([7])[0])
    assert parse_line(line) == film([7])[0]

    assert parse_line(line.replace('"part":7', f'"part":{part}')) is None


@pytest.mark.parametrize("parts", [PARTS, [None] * 9])
def test_json_and_csv_have_them(parts: list[int | None]) -> None:
    schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))
    document = json.loads(to_json(results(film(parts))))

    jsonschema.validate(document, schema)
    assert [one["part"] for one in document["scenes"]] == parts
    rows = csv.DictReader(io.StringIO(to_csv(results(film(parts))).lstrip("\ufeff")))
    assert [row["part"] for row in rows] == ["" if part is None else str(part) for part in parts]


def test_markdown_has_a_heading_for_each() -> None:
    text = to_markdown(results(film()))

    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Part 1 · 0:00 · 3 scenes",
        "## Part 2 · 20:00 · 2 scenes",
        "## Part 3 · 33:20 · 4 scenes",
    ]
    assert text.count("\n### 00:") == 9


@pytest.mark.parametrize(
    "parts", [[None] * 9, [None, *PARTS[1:]], [0] * 9], ids=["none", "one unknown", "one part"]
)
def test_there_is_no_heading_where_they_are_unknown_or_one(parts: list[int | None]) -> None:
    text = to_markdown(results(film(parts)))

    assert "Part" not in text
    assert text.count("\n## 00:") == 9


def test_captions_say_nothing_of_them() -> None:
    assert to_srt(results(film())) == to_srt(results(film([None] * 9)))


@pytest.mark.browser
def test_the_storyboard_shows_them_and_leads_to_them(
    page: Page, make_folder: Callable[..., Path]
) -> None:
    """By a choice and by keys; a part of which no scene matches is hidden with them."""
    [path] = export(make_folder(film(), length_s=3600), ["html"])
    page.size(400, 800)
    page.open(path)
    top = "document.getElementById('part-{}').getBoundingClientRect().top"
    bar = "document.getElementById('bar').offsetHeight"

    assert page.texts(".part") == [
        "Part 1 · 0:00 · 3 scenes",
        "Part 2 · 20:00 · 2 scenes",
        "Part 3 · 33:20 · 4 scenes",
    ]
    page.js("(s => { s.value = '2'; s.dispatchEvent(new Event('change')) })(part)")
    page.wait(f"Math.abs({top.format(2)} - {bar}) < 2")
    page.wait("document.getElementById('part').value === '2'")
    page.press("n")
    page.wait(f"Math.abs({top.format(3)} - {bar}) < 2")
    page.press("p")
    page.wait(f"Math.abs({top.format(2)} - {bar}) < 2")
    page.press("/")
    page.type("Shot 7")
    assert page.texts(".part") == ["Part 3 · 33:20 · 4 scenes"]
    page.js("(s => { s.value = '1'; s.dispatchEvent(new Event('change')) })(part)")
    assert len(page.texts(".part")) == 3
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []


@pytest.mark.browser
def test_arrows_keep_their_column_where_a_row_is_short(
    page: Page, make_folder: Callable[..., Path]
) -> None:
    [path] = export(make_folder(film()), ["html"])
    page.size(1280, 900)  # four in a row: 0 1 2, 3 4, 5 6 7 8
    page.open(path)
    page.settle()
    focus = "document.activeElement.id"

    page.press("j")
    for key, scene_id in (("ArrowRight", 1), ("ArrowDown", 4), ("ArrowDown", 6), ("ArrowUp", 4)):
        page.press(key)
        assert page.js(focus) == f"scene-{scene_id}"
