"""Summaries in exports: other programs read chapters back, and hostile ones do no harm."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from films import make_film
from sample_results import results, scene, sentence, step
from stories import PLAIN
from tools import needed

from cinecut.results.exports.formats import export, export_missing
from cinecut.results.scenes import Results, read_results
from cinecut.results.summary import summary_of

TITLES = ["A=quiet;#\\ day", "<b>& ]]> \x01{\\an8} -->\n\n00:01", "[CHAPTER]", "Möwen = 海"]
SCHEMA = Path(__file__).parents[3] / "src" / "cinecut" / "results" / "scenes.schema.json"


STEPS = [
    *(
        step(
            *("chapter", 3 * at, 3 * at + 2),
            title=title,
            sentences=[sentence(f"Number {at} <i>happens</i>.", 3 * at, 3 * at + 1)],
        )
        for at, title in enumerate(TITLES)
    ),
    step("synopsis", 0, 11, sentences=[sentence("A <script>film</script>.", 0, 11)]),
    step("elements", 0, 11, elements=[{"name": "a *dog*", "kind": "object", "scenes": [2]}]),
]


@pytest.fixture
def folder(make_folder: Callable[..., Path]) -> Path:
    return make_folder([scene(at, 0.5 + at) for at in range(12)], steps=STEPS, length_s=12.0)


def test_ffmpeg_and_mkvmerge_read_the_chapters_back(folder: Path, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", [bytes(16 * 9 * 3)] * 120, PLAIN)
    paths = export(folder, ["chapters", "ffmetadata", "mkvchapters"])
    vtt, metadata, xml = paths
    marked = tmp_path / "marked.mkv"
    subprocess.run(
        [
            *(
                needed("ffmpeg", "ffmpeg"),
                "-v",
                "error",
                "-i",
                film,
                "-f",
                "ffmetadata",
                "-i",
                metadata,
            ),
            *("-map_chapters", "1", "-c", "copy", marked),
        ],
        check=True,
    )
    assert times_and_titles(marked)[0] == (0.0, TITLES[0])
    assert times_and_titles(marked)[3] == (9.5, TITLES[3])
    assert [time for time, _ in times_and_titles(marked)] == [0.0, 3.5, 6.5, 9.5]
    strings = [one.text for one in ET.parse(xml).iter("ChapterString")]
    assert strings[0] == TITLES[0]
    assert strings[3] == TITLES[3]
    assert vtt.read_text().count("-->") == 4
    mkvmerge, joined = needed("mkvmerge", "mkvtoolnix"), tmp_path / "joined.mkv"
    subprocess.run([mkvmerge, "-q", "-o", joined, "--chapters", xml, film], check=True)
    assert times_and_titles(joined) == times_and_titles(marked)


def times_and_titles(film: Path) -> list[tuple[float, str]]:
    told = subprocess.run(
        [needed("ffprobe", "ffmpeg"), "-v", "error", "-show_chapters", "-of", "json", film],
        check=True,
        capture_output=True,
    )
    chapters = json.loads(told.stdout)["chapters"]
    return [(float(one["start_time"]), one["tags"]["title"]) for one in chapters]


def test_every_other_export_has_the_summary(folder: Path) -> None:
    html, md, js, csv = export(folder, ["html", "md", "json", "csv"])

    assert "<script>film" not in html.read_text()
    assert 'href="#scene-11">0:11</a>' in html.read_text()
    assert "A \\<script>film\\</script>. (0:00, 0:11)" in md.read_text()
    told = json.loads(js.read_text())
    jsonschema.validate(told, json.loads(SCHEMA.read_text()))
    assert [chapter["start_s"] for chapter in told["summary"]["chapters"]] == [0, 3.5, 6.5, 9.5]
    assert [line.rpartition(",")[2] for line in csv.read_text().splitlines()[1:]] == [
        *("1", "1", "1", "2", "2", "2", "3", "3", "3", "4", "4", "4")
    ]


OF_SUMMARIES = ["chapters", "ffmetadata", "mkvchapters", "nfo"]


def test_without_a_summary_no_file_tells_of_one(make_folder: Callable[..., Path]) -> None:
    """One of an earlier run goes; what was asked for by its name is missed in one sentence."""
    folder, notices = make_folder([scene(0, 1.0)]), []
    (folder / "chapters.vtt").write_text("WEBVTT\n\n")

    *_, html, heard = export(folder, ["all"], notices.append)

    assert (html.name, heard.name) == ("storyboard.html", "descriptions.vtt")
    assert json.loads((folder / "scenes.json").read_text())["summary"] is None
    assert not [*folder.glob("*chapters*"), *folder.glob("movie*")]
    assert export_missing(folder, ["all"], notices.append) == []
    assert notices == []
    for write in (export, export_missing):
        assert write(folder, OF_SUMMARIES, notices.append) == []
        assert notices.pop() == (
            "There is no chapters.vtt and no chapters.ffmetadata and no chapters.xml and no "
            f"movie.nfo without a summary. Have it told: cinecut summarize {folder}"
        )


def test_a_media_server_reads_title_plot_and_length(folder: Path) -> None:
    nfo, poster = export(folder, ["nfo"])

    assert [nfo.name, poster.name] == ["movie.nfo", "movie-poster.jpg"]
    movie = ET.parse(nfo).getroot()
    assert {one.tag: one.text for one in movie} == {
        "title": "movie",
        "outline": "A <script>film</script>.",
        "plot": "A <script>film</script>.",
        "runtime": "1",
    }
    dog = folder / "frames" / "000002500.jpg"  # of the first that comes back in it
    assert poster.read_bytes() == dog.read_bytes()
    dog.unlink()
    assert export(folder, ["nfo"])[1].is_file()
    shutil.rmtree(folder / "frames")
    assert export(folder, ["nfo"]) == [nfo]


def test_no_text_breaks_xml(make_folder: Callable[..., Path]) -> None:
    evil = '</plot>&lt;]]> -- "<!-- \x00\x0b\x1b\x85\u2028\ufffe\uffff\u202e😀'
    steps = [
        step("chapter", 0, 0, title=evil, sentences=[]),
        step("synopsis", 0, 0, sentences=[sentence(evil, 0)]),
    ]
    folder = make_folder([scene(0, 1.0)], steps=steps, film="../\ud800&<.mkv", length_s=None)

    nfo, poster, xml = export(folder, ["nfo", "mkvchapters"])

    assert {nfo.parent, poster.parent} == {folder}
    read = {one.tag: one.text for one in ET.parse(nfo).getroot()}
    assert read["plot"] == '</plot>&lt;]]> -- "<!-- 😀'
    assert "runtime" not in read
    assert [one.text for one in ET.parse(xml).iter("ChapterString")] == [read["plot"]]


def test_chapters_that_cannot_be_count_for_nothing() -> None:
    """Of scenes that are not there, one over the other, or from later to earlier."""
    known = results([scene(at, float(at)) for at in range(6)])
    odd = [
        step(
            "chapter", 3, 5, title="Last", sentences=[sentence("Gone.", 99), sentence("Here.", 4)]
        ),
        step("chapter", 0, 3, title="First", sentences=[]),
        step("chapter", 5, 4, title="Backwards", sentences=[]),
        step("chapter", 4, 77, title="Beyond", sentences=[]),
        step("synopsis", 0, 5, sentences=[sentence("Nothing.", 12)]),
    ]

    summary = summary_of(Results(known.run, known.scenes, steps=odd))

    assert summary is not None
    assert [chapter.title for chapter in summary.chapters] == ["First"]
    assert summary.synopsis == []


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"summary"}',
        '{"type":"summary","step":"chapter","key":"a","first":-1,"last":2,"told":null}',
        '{"type":"summary","step":"other","key":"a","first":0,"last":2,"told":null}',
        '{"type":"summary","step":"synopsis","key":"a","first":0,"last":2,'
        '"told":{"sentences":[{"text":"\\ud800","scenes":[0]}]}}',
        '{"type":"summary","step":"synopsis","key":"a","first":0,"last":2,'
        '"told":{"sentences":[{"text":"a","scenes":[1e99]}]}}',
        '{"type":"summary","step":["chapter"],"key":"a","first":0,"last":2,"told":null}',
    ],
)
def test_a_line_that_is_no_step_is_passed_over(folder: Path, line: str) -> None:
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(f"{line}\n")

    assert read_results(folder).unreadable_lines == 1
    assert len(read_results(folder).steps) == len(STEPS)
