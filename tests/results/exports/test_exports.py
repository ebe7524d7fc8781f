"""The files that `export` writes, read back by the readers that people use."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import av
import jsonschema
import pysubs2
import pytest
from full_disk import full_disk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sample_results import results, scene, sentence, step

from cinecut.errors import OutputError, UsageError
from cinecut.models import DialogueLine, Skip
from cinecut.results.exports import formats as exports
from cinecut.results.exports.captions import reading_time_s, to_srt, to_vtt
from cinecut.results.exports.formats import FORMATS, export, write_index
from cinecut.results.exports.markdown import escape, to_markdown
from cinecut.results.exports.tables import CSV_COLUMNS, formula_safe, to_csv, to_json
from cinecut.results.page.storyboard import moods, to_storyboard
from cinecut.results.scenes import Results
from cinecut.text import printable

MakeFolder = Callable[..., Path]

NASTY = [
    "<b>bold</b> and <script>alert(1)</script>",
    r"{\an8}at the top \N of C:\new\hat {still here}",
    "one\n\n\ntwo\n\n3\n00:00:01,000 --> 00:00:02,000\nthree",
    "a clock shows 00:00:01,000 and then 00:00:02.500, never 00:05.000 or 00:06.000",
    "--> & &amp; &lt;b&gt; ]]> <!-- -->",
    "42",
    "NOTE this",
    "WEBVTT",
    '=HYPERLINK("http://example.org";"x")',
    "كلب يركض على الشاطئ، والشمس تغرب.",
    "犬が浜辺を走る。🐕‍🦺",
    "naïve café — “quoted” \u2018too\u2019 \x07\x1b[31m",
]

# What the look-alikes of the captions stand for.
ORIGINALS = str.maketrans("‹›❴❵∖∶", r"<>{}\:")  # noqa: RUF001

# Any text that a description may hold: not empty once trimmed, and free of those look-alikes.
texts = st.text(
    st.one_of(
        st.sampled_from("<>{}\\/&;:=+-@#*_`~|!()[]'\"\n\r\t 0123456789.,abiNn"),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="‹›❴❵∖∶"),  # noqa: RUF001
    ),
    min_size=1,
    max_size=60,
).filter(lambda text: text.strip() and printable(text))


def nasty() -> Results:
    """Every nasty text in every field, one frame skipped, one in an unknown way."""
    scenes = [
        scene(i, 10.0 * i, text, mood=text, action=text, setting=text)
        for i, text in enumerate(NASTY)
    ]
    scenes.append(scene(90, 300.0, skip=Skip("timeout", "=1+1 <b>no reply</b> within 60 s")))
    return results(scenes)


def by_pysubs2(text: str, kind: str) -> list[tuple[int, int, str]]:
    """Read captions as pysubs2 does; it leaves WebVTT's escapes to its caller."""
    events = pysubs2.SSAFile.from_string(text, format_=kind)
    decode = html.unescape if kind == "vtt" else str
    return [(e.start, e.end, decode(e.plaintext)) for e in events]


def by_ffmpeg(text: str, kind: str) -> list[tuple[int, int, str]]:
    """Read captions as every player on FFmpeg's libraries does."""
    read = []
    with av.open(
        io.BytesIO(text.encode()), format={"srt": "srt", "vtt": "webvtt"}[kind]
    ) as container:
        for packet in container.demux(subtitles=0):
            for subtitle in packet.decode() if packet.size else []:
                end = packet.pts + packet.duration
                read.append((packet.pts, end, subtitle.dialogue.decode()))
    return read


@pytest.mark.parametrize("reader", [by_pysubs2, by_ffmpeg])
@pytest.mark.parametrize(("kind", "render"), [("srt", to_srt), ("vtt", to_vtt)])
class TestCaptions:
    def test_every_text_reads_back(self, reader, kind, render):
        """No description changes another caption, becomes markup or loses a word."""
        read = reader(render(nasty()), kind)

        assert [f"{printable(t)}\n{printable(t)}" for t in NASTY if not t.isdecimal()] == [
            text.translate(ORIGINALS) for _, _, text in read if text != "42 42"
        ]
        assert len(NASTY) == len(read)

    @settings(deadline=None)
    @given(seen=texts, happens=texts)
    def test_any_text_reads_back(self, reader, kind, render, seen, happens):
        """The same holds for whatever a model may say."""
        scenes = [scene(0, 1.0, seen, action=happens), scene(1, 30.0, happens, action=seen)]

        read = reader(render(results(scenes)), kind)

        said = [text.translate(ORIGINALS).split() for _, _, text in read]
        seen, happens = printable(seen).split(), printable(happens).split()
        assert [seen + happens, happens + seen] == said

    def test_times_read_back_to_the_millisecond(self, reader, kind, render):
        """Also past an hour, and past a hundred."""
        scenes = [scene(0, 0.0), scene(1, 83.208), scene(2, 3723.0005), scene(3, 359_990.5)]

        read = reader(render(results(scenes, length_s=None)), kind)

        assert [start for start, _, _ in read] == [0, 83_208, 3_723_000, 359_990_500]

    def test_a_caption_stands_until_it_is_read_or_the_next_keyframe_comes(
        self, reader, kind, render
    ):
        """Even one without a description: it means that the picture has changed."""
        gone = Skip("malformed", "no JSON")
        scenes = [scene(0, 10.0), scene(1, 11.5, skip=gone), scene(2, 20.0), scene(3, 599.9)]

        read = reader(render(results(scenes, length_s=600.0)), kind)

        readable = round(1000 * reading_time_s(read[1][2]))
        assert [(10_000, 11_500), (20_000, 20_000 + readable), (599_900, 600_000)] == [
            (start, end) for start, end, _ in read
        ]

    @settings(deadline=None)
    @given(times=st.lists(st.floats(0, 30), min_size=1, max_size=20))
    def test_captions_never_overlap_and_never_vanish(self, reader, kind, render, times):
        """Even where keyframes share a millisecond."""
        scenes = [scene(i, at_s) for i, at_s in enumerate(sorted(times))]

        read = reader(render(results(scenes)), kind)

        edges = [edge for start, end, _ in read for edge in (start, end)]
        assert edges == sorted(edges)
        assert all(start < end for start, end, _ in read)
        assert len(scenes) == len(read)


def test_reading_time_grows_with_the_text_and_has_a_floor():
    """Seventeen columns a second; a wide character is two."""
    assert reading_time_s("x" * 170) == 10.0
    assert 2 * reading_time_s("x" * 40) == reading_time_s("犬" * 40)
    assert reading_time_s("Hm.") == 5 / 6


class TestCsv:
    def test_one_row_a_scene_reads_back(self):
        """Skipped frames too, with their reason; texts on one line each."""
        text = to_csv(nasty())

        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        assert list(CSV_COLUMNS) == list(rows[0])
        assert [formula_safe(t) for t in NASTY] == [row["visual_content"] for row in rows[:-1]]
        assert tuple(
            rows[-1][name] for name in ("timecode", "timestamp_s", "picture", "skipped")
        ) == ("00:05:00.000", "300.0", "frames/000300000.jpg", "timeout")
        assert rows[-1]["visual_content"] == ""

    def test_it_follows_rfc_4180_in_utf_8_that_excel_knows(self):
        """Every record ends in CRLF, and the file starts with a byte order mark."""
        data = to_csv(nasty()).encode()

        assert data.startswith(b"\xef\xbb\xbf")
        assert len(NASTY) + 2 == data.count(b"\r\n") == data.count(b"\n")

    @pytest.mark.parametrize("sign", "=+-@＝＋－＠﹦﹢﹣﹫")  # noqa: RUF001
    @pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "fine;", 'fine; "', "\u3000"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_no_formula_survives(self, sign, before, delimiter):
        """Whichever character the spreadsheet splits at, and in full width too."""
        evil = f"{before}{sign}cmd|' /C calc'!A1"
        text = to_csv(results([scene(0, 1.0, evil, mood=evil, action=evil, setting=evil)]))

        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in row]

        starts = [unicodedata.normalize("NFKC", cell.strip(' "'))[:1] for cell in cells]
        assert not {"=", "+", "-", "@"} & set(starts)
        assert sign in text

    def test_honest_text_stays_as_it_is(self):
        """A hyphen inside a sentence is no formula."""
        honest = "A well-lit room; two people = one table, 3 + 4 chairs."

        assert honest == formula_safe(honest)


class TestJson:
    def test_it_follows_the_published_schema(self, make_folder: MakeFolder):
        """The schema is valid itself, and ships in the package."""
        schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)

        document = json.loads(to_json(nasty()))

        jsonschema.validate(document, schema)
        assert [s["description"]["visual_content"] for s in document["scenes"][:-1]] == NASTY
        assert document["scenes"][-1]["skipped"]["reason"] == "timeout"
        assert not any("shortened" in scene for scene in document["scenes"])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, "scenes": [{}]}, schema)

    def test_it_tells_what_became_of_the_words(self):
        schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))
        one = scene(0, 1.5)
        assert one.description is not None
        cut = one.description.model_copy(update={"shortened": ("mood",), "repeats_itself": True})

        document = json.loads(to_json(results([replace(one, description=cut)])))

        jsonschema.validate(document, schema)
        assert document["scenes"][0]["shortened"] == ["mood"]
        assert document["scenes"][0]["repeats_itself"] is True

    def test_it_names_nobodys_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Pictures are told relative to the results, and settings without the home folder."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        run = results([scene(0, 1.0)])
        run.run.settings["subtitles"] = f"{tmp_path}/films/movie.srt"

        for text in (to_json(run), to_storyboard(run), to_csv(run), to_markdown(run)):
            assert str(tmp_path) not in text
            assert "/somewhere/else" not in text
        assert json.loads(to_json(run))["settings"]["subtitles"] == "~/films/movie.srt"


class TestMarkdown:
    @settings(deadline=None)
    @given(text=texts)
    @example(text="sharp #")
    @example(text="1) not a list")
    @example(text="=====")
    @pytest.mark.parametrize("before", ["", "# ", "- **Mood:** "])
    def test_no_text_becomes_markup(self, before: str, text: str):
        """In a paragraph, a heading or a list, CommonMark and GitHub's tables and strokes on."""
        parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])

        tokens = parser.parse(f"{before}{escape(text)}")

        plain = parser.parse(f"{before}x")
        assert [t.type for t in plain] == [t.type for t in tokens]
        inline = next(t for t in tokens if t.type == "inline")
        shown = "".join(child.content for child in inline.children or ())
        assert f"{'Mood: ' if 'Mood' in before else ''}{printable(text)}" == shown

    def test_web_addresses_become_no_links(self):
        """GitHub links bare ones, whose marks are escaped as well."""
        assert (
            escape("see http://example.org and www.example.org")
            == r"see http\://example.org and www\.example.org"
        )

    def test_every_scene_has_its_picture_and_its_words(self):
        """Skipped frames say why."""
        rendered = MarkdownIt("commonmark").render(to_markdown(nasty()))

        assert len(NASTY) + 1 == rendered.count("<img ") == rendered.count("<h2>")
        assert 'src="frames/000300000.jpg"' in rendered
        assert "No reply in time: =1+1 &lt;b&gt;no reply" in rendered


def spoken() -> Results:
    """Every nasty text as a line, all in the first scene, and each in one of its own."""
    lines = tuple(DialogueLine(i, i + 0.5, text) for i, text in enumerate(NASTY))
    scenes = [replace(scene(0, 0.0), dialogue=lines)]
    scenes += [replace(scene(i + 1, 9.0 + i), dialogue=(line,)) for i, line in enumerate(lines)]
    return results([*scenes, scene(90, 90.0, skip=Skip("timeout", "none"))])


class TestDialogue:
    def test_json_has_the_lines_as_the_schema_says(self):
        schema = json.loads((files("cinecut.results") / "scenes.schema.json").read_text("utf-8"))

        document = json.loads(to_json(spoken()))

        jsonschema.validate(document, schema)
        assert [line["text"] for line in document["scenes"][0]["dialogue"]] == NASTY
        assert document["scenes"][2]["dialogue"] == [{"start_s": 1, "end_s": 1.5, "text": NASTY[1]}]
        assert "dialogue" not in document["scenes"][-1]

    def test_csv_has_a_column_for_it_and_no_formula(self):
        [first, *rest] = csv.DictReader(io.StringIO(to_csv(spoken()).removeprefix("\ufeff")))

        assert [formula_safe(text) for text in NASTY] + [""] == [row["dialogue"] for row in rest]
        assert first["dialogue"] == formula_safe(" / ".join(NASTY))
        assert "\"'=HYPERLINK" in to_csv(spoken())

    def test_markdown_quotes_it_line_by_line_as_text(self):
        tokens = MarkdownIt("commonmark").parse(to_markdown(spoken()))

        opened = [i for i, token in enumerate(tokens) if token.type == "blockquote_open"]
        quoted = [tokens[i + 2].children for i in opened]
        assert [tokens[i + 1].type for i in opened] == ["paragraph_open"] * (1 + len(NASTY))
        assert {child.type for children in quoted for child in children} == {"text", "hardbreak"}
        shown = "".join(child.content or "\n" for child in quoted[0])
        assert shown == "\n".join(map(printable, NASTY))

    def test_captions_say_what_is_seen_alone(self):
        silent = results([replace(entry, dialogue=()) for entry in spoken().scenes])

        assert to_srt(spoken()) == to_srt(silent)
        assert to_vtt(spoken()) == to_vtt(silent)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Calm, Melancholic and tense.", ["calm", "melancholic", "tense"]),
        ("هادئ، حنين", ["هادئ", "حنين"]),
        ("静か、穏やか。", ["静か", "穏やか"]),
        ("sandy", ["sandy"]),
        ("calm / calm", ["calm"]),
        ("A feeling that goes on without any end in sight whatsoever", []),
    ],
)
def test_moods_are_told_apart(text: str, names: list[str]):
    """Whatever list marks the language has."""
    assert names == moods(text)


class TestExport:
    def test_all_formats_lie_beside_the_journal(self, make_folder: MakeFolder):
        """And nothing else does: what was written aside has been renamed."""
        told = [sentence("It barks.", 0)]
        steps = [
            step("chapter", 0, len(NASTY) - 1, title="A dog", sentences=told),
            step("synopsis", 0, len(NASTY) - 1, sentences=told),
        ]
        folder = make_folder(nasty().scenes, steps=steps)

        paths = export(folder, ["all"])

        names = {path.name for path in folder.iterdir()} - {"frames"}
        assert names == {path.name for path in paths}
        assert len({*FORMATS, "poster"}) == len(paths)
        assert all(path.stat().st_size for path in paths)

    def test_a_damaged_journal_loses_nothing_else(self, make_folder: MakeFolder):
        """A torn line costs itself; skipped frames, missing pictures, any language stay."""
        folder = make_folder(nasty().scenes, pictures=False, film="Фильм ‏سينما.mkv")
        with (folder / "scenes.jsonl").open("a") as journal:
            journal.write('{"type":"scene","index":91,"keyfr')

        export(folder, FORMATS)

        document = json.loads((folder / "scenes.json").read_text("utf-8"))
        assert (len(NASTY) + 1, 1) == (len(document["scenes"]), document["unreadable_lines"])
        for name in ("scenes.csv", "scenes.md", "scenes.srt", "scenes.vtt", "storyboard.html"):
            assert "犬が浜辺を走る。" in (folder / name).read_text("utf-8"), name

    def test_a_name_that_is_no_utf_8_is_written(self, make_folder: MakeFolder):
        """Such names reach Python as lone surrogates, which no file can hold as they are."""
        folder = make_folder([scene(0, 1.0)], film="caf\udce9.mkv")

        export(folder, FORMATS)

        assert json.loads((folder / "scenes.json").read_bytes())["film"]["name"] == "caf\udce9.mkv"
        for path in export(folder, FORMATS):
            path.read_text("utf-8-sig")

    def test_a_full_disk_leaves_the_file_of_before(self, make_folder: MakeFolder):
        """No half file, nothing aside, and one clear error."""
        folder = make_folder([scene(0, 1.0)])
        [path] = export(folder, ["csv"])
        before = path.read_bytes()

        with full_disk(len(before) // 2):
            failed = pytest.raises(OutputError, match=r"scenes\.csv(.|\n)*File too large")
            with failed:
                export(folder, ["csv"])

        assert before == path.read_bytes()
        assert {"scenes.jsonl", "scenes.csv", "frames"} == {p.name for p in folder.iterdir()}

    def test_an_unknown_format_is_told_before_anything_is_written(self, make_folder: MakeFolder):
        """With the formats that there are."""
        folder = make_folder([scene(0, 1.0)])

        with pytest.raises(UsageError, match=r"'docx'(.|\n)*jsonl, json, csv, srt, vtt, md, html"):
            export(folder, ["csv", "docx"])

        assert not (folder / "scenes.csv").exists()

    def test_no_scene_yet_is_no_error(self, make_folder: MakeFolder):
        """A run that was stopped at once still exports."""
        for path in export(make_folder([]), FORMATS):
            assert path.exists()


def test_the_index_leads_to_every_storyboard(make_folder: MakeFolder, tmp_path: Path):
    """With relative links, so that the folders may move together."""
    folder = make_folder([scene(0, 1.0), scene(1, 2.0)], film="<b>&.mkv")

    path = write_index([folder], tmp_path / "index.html")

    text = path.read_text("utf-8")
    assert 'href="movie.mkv.cinecut/storyboard.html"' in text
    assert 'src="movie.mkv.cinecut/frames/000001000.jpg"' in text
    assert "&lt;b&gt;&amp;.mkv" in text
    with pytest.raises(OutputError):
        write_index([tmp_path / "nowhere"], tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_of_a_complete_film_beyond_the_search_the_index_reads_two_lines(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All others are rubbish here: of a thousand long films they would take minutes to read."""
    monkeypatch.setattr(exports, "MOST_SEARCHED_CHARS", 0)
    folder = make_folder([scene(number, float(number)) for number in range(30)])
    journal = folder / "scenes.jsonl"
    first, *scenes = journal.read_text().splitlines()
    run = json.loads(first) | {"finished": {"scenes": 30, "skipped": 2}}
    third = len(json.dumps(run)) // len(scenes[0])
    kept = range(10 - third, 12)
    lines = [line if place in kept else "x" * len(line) for place, line in enumerate(scenes)]
    journal.write_text("\n".join([json.dumps(run), *lines, ""]))

    text = write_index([folder], tmp_path / "index.html").read_text("utf-8")

    poster = re.search(r'src="movie.mkv.cinecut/frames/(\d+).jpg"', text)
    assert poster
    assert 8000 <= int(poster[1]) <= 11000
    assert "30 scenes" in text
    (folder / "frames" / f"{poster[1]}.jpg").unlink()
    assert "30 scenes" not in write_index([folder], tmp_path / "index.html").read_text("utf-8")
