"""A reply that goes in circles is told from an honest one, in any language."""

# ruff: noqa: RUF001 - marks of other scripts are what it is about

from __future__ import annotations

import json
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinecut.demo.labels import (
    BRIGHTNESS,
    COLOURS,
    DETAIL,
    PLACES,
    SATURATION,
    SHARPNESS,
    TEMPERATURE,
    Labels,
)
from cinecut.demo.sentences import say
from cinecut.inference import SceneDescription
from cinecut.inference.question.repetition import repeats_itself
from cinecut.inference.question.reply import read_reply

HONEST = [
    (
        "A man in a dark overcoat stands at the edge of a wet pier, his back to the camera. Behind "
        "him a row of fishing boats lies at anchor in grey water, and gulls circle above them.",
        "Melancholy and quiet, with a sense of waiting",
        "The man looks out over the harbour while a woman with a red umbrella walks towards him.",
        "A small fishing harbour in northern Europe, early on a rainy autumn morning.",
    ),
    (
        "The image shows a man and a woman. The man is wearing a black suit and a white shirt, and "
        "the woman is wearing a black dress and a white hat. The man is looking at the woman.",
        "The mood is tense and dark.",
        "The man is talking to the woman, and the woman is looking at the man.",
        "The scene takes place in a dark room at night.",
    ),
    (
        "A red car, a blue car and a green car stand in a row; a red flag, a blue flag and a green "
        "flag hang above them. The sign reads SALE SALE SALE.",
        "bright, cheerful, bright",
        "Left, right, left, right: a crowd walks up and down.",
        "A car dealer's yard, a sunny day, a busy day.",
    ),
    (
        "Eine Frau mit kurzem grauem Haar sitzt an einem Fenster und liest einen Brief. Auf dem "
        "Tisch vor ihr stehen eine Tasse Tee und eine Vase mit gelben Tulpen.",
        "Ruhig und nachdenklich",
        "Sie liest, ohne aufzublicken, und legt eine Hand auf den Tisch.",
        "Ein Wohnzimmer am sp\u00e4ten Nachmittag.",
    ),
    (
        "一名身穿深色大衣的男子站在湿漉漉的码头边，背对镜头。他身后的灰色水面上停着一排渔船，海鸥在桅杆上方盘旋。",
        "忧郁而安静，带着等待的感觉",
        "男子望着港口，一名撑红伞的女子慢慢向他走来。",
        "北欧的一个小渔港，秋天下雨的清晨。",
    ),
    (
        "暗い色のコートを着た男が、濡れた桟橋の端に立っている。背後の灰色の水面には漁船が並び、マストの上をカモメが飛んでいる。",
        "静かで物悲しい雰囲気",
        "男は港を眺め、赤い傘を差した女がゆっくりと近づいてくる。",
        "北ヨーロッパの小さな漁港、雨の降る秋の早朝。",
    ),
    (
        "ชายคนหนึ่งสวมเสื้อโค้ตสีเข้มยืนอยู่ริมท่าเรือที่เปียกฝน ด้านหลังมีเรือประมงจอดเรียงกันในน้ำสีเทา",
        "เศร้าและเงียบสงบ",
        "ชายคนนั้นมองออกไปที่ท่าเรือ ผู้หญิงถือร่มสีแดงเดินเข้ามาหาเขา",
        "ท่าเรือประมงเล็ก ๆ ในยุโรปเหนือ เช้าวันฝนตก",
    ),
    (
        "गहरे रंग का कोट पहने एक आदमी गीले घाट के किनारे खड़ा है। उसके पीछे नावें खड़ी हैं।",
        "उदास और शांत",
        "आदमी बंदरगाह की ओर देख रहा है और लाल छाते वाली एक औरत उसकी ओर आ रही है।",
        "उत्तरी यूरोप का एक छोटा बंदरगाह, बारिश वाली सुबह।",
    ),
]
MAN = "A man in a red coat stands in front of a large brick building."
CIRCLES = [
    ("The man is walking. The man is walking. The man is walking.", "calm", "He walks.", "A road."),
    ("A road.", "tense, dark, tense, dark, tense, dark, tense, dark", "He waits.", "A city."),
    ("A road.", "calm", "He goes on and on and on and on and on and on and on and on", "A city."),
    ("A dog " + "very " * 12 + "big", "calm", "It barks.", "A yard."),
    (MAN, "calm", MAN, MAN),
    (
        "A man in a red coat stands in front of a building. The man is standing in front of the "
        "building. The building is behind the man. The man is standing in front of the building.",
        "The man is standing in front of the building.",
        "The man is standing in front of the building.",
        "The man is in front of the building.",
    ),
    ("一个男人站在码头上，一个男人站在码头上，一个男人站在码头上，", "平静", "他在等。", "码头。"),
    ("ー" * 20, "静か", "なし", "夜"),
]


@pytest.mark.parametrize("texts", HONEST, ids=range(len(HONEST)))
def test_an_honest_reply_does_not_repeat_itself(texts: tuple[str, ...]) -> None:
    assert not repeats_itself(texts)


@pytest.mark.parametrize("texts", CIRCLES, ids=range(len(CIRCLES)))
def test_a_reply_in_circles_does(texts: tuple[str, ...]) -> None:
    assert repeats_itself(texts)
    found = read_reply({"choices": [{"message": {"content": json.dumps(as_fields(texts))}}]})
    assert isinstance(found, SceneDescription)
    assert found.repeats_itself
    assert "repeats_itself" not in found.model_dump()


def test_the_demo_models_sentences_are_formulas_and_no_circles() -> None:
    all_labels = product(
        *(BRIGHTNESS.names, SATURATION.names, COLOURS, [None, *COLOURS], DETAIL.names),
        *(SHARPNESS.names, TEMPERATURE.names, PLACES),
    )
    for labels in random.Random(1).sample([*all_labels], 2000):
        assert not repeats_itself([*say(Labels(*labels)).values()])


@given(
    before=st.text("abcdefgh ", max_size=40),
    unit=st.text("abcdefgh ", min_size=1, max_size=40).filter(str.strip),
    after=st.text("abcdefgh ", max_size=20),
)
def test_a_circle_is_found_wherever_it_begins(before: str, unit: str, after: str) -> None:
    rounds = max(3, -(-40 // len(unit)))

    assert repeats_itself([before + unit * rounds + after, "calm", "x", "y"])


def test_a_long_reply_takes_no_long_look() -> None:
    """Servers of others know no bounds, and a reply may have a megabyte."""
    letters = random.Random(2).choices("abcdefghijklmnopqrstuvwxyz ", k=1 << 20)

    assert not repeats_itself(["".join(letters), "calm", "x", "y"])
    assert repeats_itself(["".join(letters) + " and so on" * 5, "calm", "x", "y"])


def as_fields(texts: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(SceneDescription.model_fields, texts, strict=False))
