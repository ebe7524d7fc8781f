"""Every subtitle format is read, and what of it cannot be is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinecut.errors import SubtitlesError
from cinecut.film.dialogue.events import read_dialogue

SMI = """<sami><head><title>x</title></head><body>
<SYNC Start=1000><P Class=ENCC>Hello<br>you
<SYNC Start=2000><P Class=ENCC>&nbsp;
<SYNC Start=soon><P Class=ENCC>Never
<SYNC Start=3000><P Class=ENCC>World
</body></sami>"""
TTML = """<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div>
<p begin="00:00:01.000" end="00:00:02.000">Hello</p></div></body></tt>"""
ONE = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n"
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,Hello
"""
BROKEN = {
    "two times.srt": f"1\n00:00:00,100 --> 00:00:00,900\n{ONE[2:]}",
    "four times.srt": f"{ONE}2\n00:00:03,0 --> 00:00:04,0 00:00:05,0 --> 00:00:06,0\nNo\n",
    "no digit.srt": f"{ONE}2\n00:00:0x,000 --> 00:00:04,000\nNo\n",
    "below zero.srt": f"{ONE}2\n-00:00:05,000 --> 00:00:01,000\nNo\n",
    "no times.srt": f"{ONE}2\nNo time\n\n3\n00:00:03,000 --> 00:00:04,000\nWorld\n",
    "comma.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n\n00:03,1 --> 00:04\nNo\n",
    "oops.ass": f"{ASS}Dialogue: 0,oops,0:00:02.60,D,,0,0,0,,No\n",
    "short.ass": f"{ASS}Dialogue: 0,0:00:02.60,D\n",
    "frames.sub": "{1}{1}25\n{25}{50}Hello\n{75}{x}No\n",
    "soon.smi": SMI,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_line_that_cannot_be_read_is_counted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BROKEN[name])

    lines, broken = read_dialogue(tmp_path / name, None)

    assert broken == 1
    words = [line.text for line in lines]
    assert words[0].startswith("Hello")
    assert not any("No" in text or "-->" in text for text in words)


def test_blank_cues_and_talk_of_numbers_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(
        "1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:02,000 --> 00:00:03,000\n42\n"
        "\n3\n00:00:03,000 --> 00:00:04,000\n5 -> 6\n"
    )

    lines, broken = read_dialogue(path, None)

    assert broken == 0
    assert [line.text for line in lines] == ["42", "5 -> 6"]


def test_sami_tells_when_a_line_goes(tmp_path: Path) -> None:
    (tmp_path / "film.smi").write_text(SMI)

    lines, _ = read_dialogue(tmp_path / "film.smi", None)

    assert (float(lines[0].start), float(lines[0].end)) == (1.0, 2.0)
    assert [line.text.split() for line in lines] == [["Hello", "you"], ["World"]]


def test_ttml_is_read_or_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "film.ttml").write_text(TTML)
    (tmp_path / "bad.ttml").write_text(TTML[:-10])

    lines, _ = read_dialogue(tmp_path / "film.ttml", None)

    assert [line.text for line in lines] == ["Hello"]
    with pytest.raises(SubtitlesError, match="damaged"):
        read_dialogue(tmp_path / "bad.ttml", None)
    (tmp_path / "frames.ttml").write_text(TTML.replace("02.000", "02:12"))
    with pytest.raises(SubtitlesError, match="kind of time"):
        read_dialogue(tmp_path / "frames.ttml", None)
