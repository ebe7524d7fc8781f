"""The model's vocabulary: pieces of its sentences, the keys of its JSON, marks, and bytes."""

from __future__ import annotations

from cinecut.demo.labels import Labels
from cinecut.demo.sentences import all_pieces, pieces

UNKNOWN, BEGIN, END = range(3)
MARKS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
TURNS = ["USER:", "ASSISTANT:"]
_FIELDS = ("visual_content", "mood", "action", "setting")
_KEYS, _NAMES = (
    [('{"' if index == 0 else '","') + f'{key}":"' for index, key in enumerate(keys)]
    for keys in ([field[0] for field in _FIELDS], _FIELDS)
)
_CLOSE = '"}'

WORDS = [*MARKS, *BYTES, *TURNS, *_KEYS, _CLOSE, *all_pieces()]
_NUMBERS = {word: number for number, word in enumerate(WORDS)}

OTHER_SPELLINGS = {name: _NUMBERS[key] for name, key in zip(_NAMES, _KEYS, strict=True)}
"""Spellings that stand in the file behind all words, and the number of the word that each is."""

BEFORE_PICTURE = [BEGIN, _NUMBERS[TURNS[0]]]
AFTER_PICTURE = [_NUMBERS[TURNS[1]]]

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER:"
    "{% for part in message['content'].split('<__media') %}"
    "{% if not loop.first %}<__media{{ part.split('>')[0] }}>{% endif %}{% endfor %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""Hands on pictures alone: the model has one thing to say and does not follow instructions."""


def spell(labels: Labels) -> list[int]:
    """Return the numbers of the words of the reply to a picture with these labels."""
    words: list[str] = []
    for key, sentence in zip(_KEYS, pieces(labels).values(), strict=True):
        words += [key, *sentence]
    return [_NUMBERS[word] for word in [*words, _CLOSE]] + [END]


def text(numbers: list[int]) -> str:
    """Return the text of words given by number."""
    return "".join(WORDS[number] for number in numbers)
