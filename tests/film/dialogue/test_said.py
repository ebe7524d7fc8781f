"""Each line that is said stands with one scene: the one that shows its middle."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from films import Look, make_film, mux_subtitles, still

from cinecut.film.dialogue import said as said_module
from cinecut.film.dialogue.said import MOST_BYTES, Said, share_out
from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
from cinecut.film.reading.lines import Line
from cinecut.models import DialogueLine, KeyframeRecord
from cinecut.results.entries import LONGEST_LINE_BYTES
from cinecut.results.scenes import Scene, parse_line, scene_to_line

LINES = [
    (0.2, 0.6, "First"),
    (1.0, 3.2, "over a cut"),
    (3.3, 3.5, "Привет"),
    (4.0, 5.0, "مرحبا"),
    (5.9, 9.0, "past the end"),
]
FRAMES_PER_SHOT, RATE = 20, 10
LOOK = Look(rate=Fraction(RATE), has_index=False)
SECONDS = 6


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    thumbs = [thumb for seed in range(3) for thumb in still(seed, FRAMES_PER_SHOT)]
    return make_film(tmp_path_factory.mktemp("said") / "film.mkv", thumbs, LOOK)


def said_in(film: Path, folder: Path, **settings: object) -> list[tuple[float, list[str]]]:
    with KeyframeScan(film, folder / "frames", KeyframeSettings(**settings)) as scan:
        return [
            (record.timestamp_s, [line.text for line in dialogue])
            for record, dialogue, _ in scan.in_full()
        ]


def times(folder: Path, film: Path) -> list[float]:
    with KeyframeScan(film, folder / "frames", KeyframeSettings()) as scan:
        return [record.timestamp_s for record in scan]


def clock(seconds: float) -> str:
    return f"00:00:{seconds:06.3f}".replace(".", ",")


def srt(lines: list[tuple[float, float, str]]) -> str:
    return "\n\n".join(
        f"{number}\n{clock(start)} --> {clock(end)}\n{text}"
        for number, (start, end, text) in enumerate(lines, 1)
    )


def as_they_should_be(at: list[float]) -> list[tuple[float, list[str]]]:
    """Give each line to the keyframe in whose span its middle is; a plain second way."""
    ends = [(one + other) / 2 for one, other in pairwise(at)] + [SECONDS]
    begins = [0.0, *ends]
    return [
        (time, [text for start, end, text in LINES if begin <= (start + end) / 2 < until])
        for time, begin, until in zip(at, begins, ends, strict=False)
    ]


@pytest.mark.parametrize("speed", ["full", "iframes"])
@pytest.mark.parametrize("most", [None, 1, 2])
def test_a_files_lines_stand_with_the_scene_that_shows_their_middle(
    film: Path, tmp_path: Path, speed: str, most: int | None
) -> None:
    path = tmp_path / "lines.srt"
    path.write_text(srt(LINES), encoding="utf-8")

    said = said_in(film, tmp_path, subtitles=path, scan=speed, max_frames=most)

    assert said == as_they_should_be([time for time, _ in said])
    assert [text for _, texts in said for text in texts] == [line[2] for line in LINES[:-1]]


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mkv", "srt"), (".mkv", "ass"), (".mp4", "mov_text")]
)
@pytest.mark.parametrize("speed", ["full", "iframes"])
def test_so_do_those_of_a_track(
    film: Path, tmp_path: Path, suffix: str, codec: str, speed: str
) -> None:
    inside = mux_subtitles(film, tmp_path / f"inside{suffix}", codec, LINES[:-1])

    said = said_in(inside, tmp_path, scan=speed)

    assert said == as_they_should_be([time for time, _ in said])


def test_those_of_a_joined_recording_stand_on_its_one_clock(tmp_path: Path) -> None:
    parts = [make_film(tmp_path / f"{seed}.ts", still(seed, 30), LOOK) for seed in range(2)]
    film = tmp_path / "joined.ts"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    film.with_suffix(".srt").write_text(srt(LINES), encoding="utf-8")

    said = said_in(film, tmp_path)

    assert said == as_they_should_be([time for time, _ in said])
    assert said[-1][0] > 3


def test_keyframes_are_the_same_with_dialogue_and_without(film: Path, tmp_path: Path) -> None:
    inside = mux_subtitles(film, tmp_path / "inside.mkv", "srt", LINES[:-1])

    assert [time for time, _ in said_in(inside, tmp_path)] == times(tmp_path, inside)
    assert said_in(film, tmp_path) == [(time, []) for time in times(tmp_path, film)]


def test_a_cancelled_scan_gives_out_nothing_half_known(film: Path, tmp_path: Path) -> None:
    settings, stop = KeyframeSettings(), False
    with KeyframeScan(film, tmp_path / "frames", settings, is_cancelled=lambda: stop) as scan:
        records = scan.in_full()
        first = next(records)
        stop = True

        assert first[0].timestamp_s == times(tmp_path, film)[0]
        assert list(records) == []


HOSTILE_SRT = r"""1
00:00:00,200 --> 00:00:00,400
<i>- Who?</i>
{\an8}-   <font color="red">Me\h&amp; you</font>

2
00:00:00,500 --> 00:00:00,700
"""
HOSTILE_VTT = """WEBVTT

one
00:00.200 --> 00:00.400
<v Ann>Fish &amp; chips &lt;b&gt;

two
00:00.500 --> 00:00.700
Bye
"""
ASS = r"""[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:00.40,Default,,0,0,0,,{\b1}Twice{\b0}
Dialogue: 1,0:00:00.20,0:00:00.40,Default,,0,0,0,,{\i1}Twice
Dialogue: 0,0:00:00.20,0:00:00.40,Sign,,0,0,0,,{\pos(1,2)}SIGN
Dialogue: 0,0:00:00.50,0:00:00.70,Default,,0,0,0,,<script>alert(1)</script>
"""


@pytest.mark.parametrize(
    ("name", "text", "plain"),
    [
        ("a.srt", HOSTILE_SRT + "\u202bسلم\u202c \x1b[2J\x07\u200b", None),
        ("a.vtt", HOSTILE_VTT, ["Fish & chips <b>", "Bye"]),
        ("a.ass", ASS, ["Twice", "<script>alert(1)</script>"]),
        ("a.srt", srt([(0.2, 0.4, "word " * 9999)]), [("word " * 100)[:499] + "…"]),
    ],
)
def test_what_is_said_is_plain_text(
    film: Path, tmp_path: Path, name: str, text: str, plain: list[str] | None
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    said = [text for _, texts in said_in(film, tmp_path, subtitles=path) for text in texts]

    assert said == (plain or ["- Who? - Me &amp; you", "سلم [2J\u200b"])


def test_more_than_a_line_of_a_journal_holds_is_left_out() -> None:
    said = Said()
    for number in range(3_000):
        said.add(Line(Fraction(number), Fraction(number), Fraction(number + 1), "字" * 50))

    [(_, dialogue)] = share_out([KeyframeRecord(5.0, "", "")], said, lambda: Fraction(10**6))

    taken = sum(6 * len(line.text) + 66 for line in dialogue)
    assert MOST_BYTES - 400 < taken <= MOST_BYTES
    assert dialogue[0] == DialogueLine(0.0, 1.0, "字" * 50)
    scene = Scene(0, KeyframeRecord(5.0, "", ""), None, None, 0.0, dialogue=dialogue)
    line = scene_to_line(scene)
    assert len(line) < MOST_BYTES + 1000 < LONGEST_LINE_BYTES - 3 * 2**20
    assert parse_line(line) == scene


def test_an_endless_track_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said_module, "MOST_WAITING", 50)
    said = Said()
    for number in range(100):
        said.add(Line(Fraction(number), Fraction(number), Fraction(number + 1), ""))

    taken = [len(said.take_before(Fraction(end))) for end in (10, 10**6)]
    said.add(Line(Fraction(1), Fraction(0), Fraction(2), "again"))

    assert taken == [10, 40]
    assert said.take_before(Fraction(9)) == (DialogueLine(0.0, 2.0, "again"),)


def test_a_late_line_goes_to_the_scene_under_way() -> None:
    said = Said()

    def records():
        yield KeyframeRecord(0.0, "", "")
        yield KeyframeRecord(10.0, "", "")
        said.add(Line(Fraction(2), Fraction(1), Fraction(3), "late"))
        yield KeyframeRecord(20.0, "", "")

    shared = [dialogue for _, dialogue in share_out(records(), said, lambda: Fraction(30))]

    assert shared == [(), (DialogueLine(1.0, 3.0, "late"),), ()]
