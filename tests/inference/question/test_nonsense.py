"""Nonsense is told from language, and a plain wrong answer is language."""

from __future__ import annotations

import pytest

from cinecut.inference.question.nonsense import is_nonsense


@pytest.mark.parametrize(
    "answer",
    [
        "Red.",
        "HELLO",
        "a blue sky",
        "A man riding a wave on top of a surfboard.",
        'The image shows a red background with the word "HELLO" written in white letters.',
        "A plain red rectangle in the middle of which stands, in white and in large lett",
        "**HELLO** is written in white on a red field.",
        'Red background, white text "HELLO".',
        "A TV screen that shows a red picture of 328 x 152 pixels.",
        "- A red background\n- The word HELLO in white",
        '{"description": "A red background with a word in white", "mood": "plain"}',
        '{"v":"A bright picture, above all red.","m":"Calm.","a":"Sharp outlines."}',
        "The user wants one short sentence about the picture. The picture shows",
        "a red sign with a red sign with a red sign with a red sign with a red sign",
        "This is a red flag. It says HELLO 👋",
        "I cannot see any picture.",
        "Ein rotes Feld mit dem Wort HELLO.",
        "Un fond rouge avec le mot « HELLO » écrit en blanc.",
        "На красном фоне белыми буквами написано слово HELLO.",  # noqa: RUF001
        "红色背景上有白色的“HELLO”字样。",
        "赤い背景に白い文字で「HELLO」と書かれています。",
        '빨간 배경에 흰색으로 "HELLO"라고 적혀 있습니다.',
        "एक लाल पृष्ठभूमि पर सफेद अक्षरों में HELLO लिखा है।",
        "ചുവന്ന പശ്ചാത്തലത്തില്‍ HELLO എന്ന വാക്ക്",
    ],
)
def test_language_is_none_of_it(answer: str) -> None:
    assert not is_nonsense(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " \n\t",
        "GGGGGGGGGGGGGGGGGGGGGGGG",
        "G G G G G G G G",
        "????????????????",
        "!!!!!!!!",
        "0000000000000000",
        "▅▅▅▅▅▅▅▅▅",
        "\ufffd\ufffd\ufffd\ufffd",
        "a pict\ufffdre of \ufffd\ufffd",
        "\x00\x01\x02\x03",
        "The \x07 picture",
        "the the the the the the the",
        "of the of the of the of the of the",
        "红红红红红红红红",
        "<unk><unk><unk><unk>",
        "pported C F;\n\n C R Q23C323C4 QQ\nC3C3CCC",
        "of to a,, old so c is and d t, in in is, r is to and,, h to a and is is t.. for s",
        "é }` on }`ESS, and thus,inate, where, }` }`aint, but, }`, }`ioned, while, }` }`ESS",
        "2\n\n*\n\n1\n Wal\n.....,…y Pan\n_ \n-**2****\\ 111 Mik\n111",
        "ropaсти jestаль Ћи ње и",  # noqa: RUF001
        "muteけ.JFrame219langs nombres своoplast_Edit storage ServletException",  # noqa: RUF001
        "RowSpan ieldIELD anticipAust getString",
        "cars shotgun crown recalled postage insurgent mouse topics spouse bodied crates federal",
    ],
)
def test_what_broken_builds_write_is(answer: str) -> None:
    assert is_nonsense(answer)
