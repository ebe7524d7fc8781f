"""Says labels in plain English, and reads the labels back out of what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple

from cinecut.demo.labels import (
    BRIGHTNESS,
    COLOURS,
    DETAIL,
    EVEN,
    SATURATION,
    SHARPNESS,
    TEMPERATURE,
    Labels,
    Measures,
    true_colours,
    true_places,
    true_second_colours,
)

_BRIGHTNESS: Final = {name: f"A {name}" for name in BRIGHTNESS.names}
_SATURATION: Final = {
    "colourless": ", nearly colourless picture",
    "muted": " picture in muted colours",
    "clear": " picture in clear colours",
    "vivid": " picture in vivid colours",
}
_COLOUR: Final = {name: f", above all {name}" for name in COLOURS}
_SECOND_COLOUR: Final[dict[str | None, str]] = {
    None: "",
    **{name: f" and {name}" for name in COLOURS},
}
_DETAIL: Final = {
    "little": ", plain and with little detail.",
    "some": ", with some detail.",
    "much": ", full of detail.",
}

# Mood is a fixed mapping: the first word from the brightness, the second from how strong the
# colours are and how warm the light is. Every first word goes with every second one.
_MOOD: Final = {
    "very dark": "Brooding",
    "dark": "Pensive",
    "moderately bright": "Calm",
    "bright": "Open",
}
_MOOD_TONES: Final = {
    "colourless": (" and sober.", " and sober.", " and sober."),
    "muted": (" and cool.", " and quiet.", " and gentle."),
    "clear": (" and cool.", " and composed.", " and warm."),
    "vivid": (" and dreamlike.", " and expressive.", " and glowing."),
}

# One frame shows no movement, only whether its outlines are blurred.
_STILL: Final = "Broad, calm areas with few outlines."
_ACTION: Final = {
    "sharp": "Sharp outlines, nothing looks blurred.",
    "soft": "Soft outlines, as in movement or out of focus.",
}

_LIGHT: Final = {
    "very dark": (
        "Cold light, as on a dark night",
        "Hardly any light, as on a dark night",
        "A faint warm light, as from embers",
    ),
    "dark": (
        "Cold light, as at night or under water",
        "Low light, as at dusk or indoors",
        "Low warm light, as from a fire or a lamp",
    ),
    "moderately bright": (
        "Cool light, as in the shade",
        "Neutral light, as on an overcast day",
        "Warm light, as in the evening",
    ),
    "bright": (
        "Bright cool light, as on a clear day",
        "Bright light, as at midday",
        "Bright warm light, as in the sun",
    ),
}
_PLACE: Final = {
    "left": ", strongest on the left.",
    "right": ", strongest on the right.",
    "top": ", strongest at the top.",
    "bottom": ", strongest at the bottom.",
    "middle": ", strongest in the middle.",
    "edges": ", strongest at the edges.",
    EVEN: ", spread evenly.",
}


class Said(NamedTuple):
    """What a description says, attribute by attribute."""

    brightness: str
    saturation: str
    colour: str
    second_colour: str | None
    detail: str
    mood: str
    action: str
    light: str
    place: str


def pieces(labels: Labels) -> dict[str, tuple[str, ...]]:
    """Return the sentence of each field in the pieces that the model has as words."""
    tone = TEMPERATURE.names.index(labels.temperature)
    return {
        "visual_content": (
            _BRIGHTNESS[labels.brightness],
            _SATURATION[labels.saturation],
            _COLOUR[labels.colour],
            *filter(None, [_SECOND_COLOUR[labels.second_colour]]),
            _DETAIL[labels.detail],
        ),
        "mood": (_MOOD[labels.brightness], _MOOD_TONES[labels.saturation][tone]),
        "action": (_STILL if labels.detail == "little" else _ACTION[labels.sharpness],),
        "setting": (_LIGHT[labels.brightness][tone], _PLACE[labels.place]),
    }


def all_pieces() -> list[str]:
    """Return every piece that a description can have, in the order of the tables above.

    A reworded piece keeps its place as long as it equals no other one, and the model with it.
    """
    tables: list[Iterable[str]] = [
        *(
            _BRIGHTNESS.values(),
            _SATURATION.values(),
            _COLOUR.values(),
            _SECOND_COLOUR.values(),
        ),
        *(
            _DETAIL.values(),
            _MOOD.values(),
            [_STILL],
            _ACTION.values(),
            _PLACE.values(),
        ),
        *_MOOD_TONES.values(),
        *_LIGHT.values(),
    ]
    return list(dict.fromkeys(piece for table in tables for piece in table if piece))


def say(labels: Labels) -> dict[str, str]:
    """Return the description of a picture with these labels, field by field."""
    return {field: "".join(words) for field, words in pieces(labels).items()}


def read(description: Mapping[str, str]) -> Said | None:
    """Return what a description says, or None where it is none of the demo model's."""
    seen = _VISUAL_CONTENT.fullmatch(description["visual_content"])
    setting = _SETTING.fullmatch(description["setting"])
    mood, action = description["mood"], description["action"]
    if not (seen and setting and mood in _MOODS and action in _ACTIONS):
        return None
    second = {piece: name for name, piece in _SECOND_COLOUR.items()}
    return Said(
        brightness=_key(_BRIGHTNESS, seen[1]),
        saturation=_key(_SATURATION, seen[2]),
        colour=_key(_COLOUR, seen[3]),
        second_colour=second[seen[4]],
        detail=_key(_DETAIL, seen[5]),
        mood=mood,
        action=action,
        light=setting[1],
        place=_key(_PLACE, setting[2]),
    )


def judge(said: Said, measures: Measures) -> dict[str, bool]:
    """Return for each attribute whether what was said of it is true of the measured picture."""
    brightness = BRIGHTNESS.true_names(measures.brightness)
    saturation = SATURATION.true_names(measures.saturation)
    detail = DETAIL.true_names(measures.detail)
    tones = [TEMPERATURE.names.index(name) for name in TEMPERATURE.true_names(measures.temperature)]
    moods = {
        _MOOD[first] + _MOOD_TONES[second][tone]
        for first, second, tone in product(brightness, saturation, tones)
    }
    actions = {_ACTION[name] for name in SHARPNESS.true_names(measures.sharpness)}
    if detail == {"little"}:
        actions = set()
    if "little" in detail:
        actions.add(_STILL)
    return {
        "brightness": said.brightness in brightness,
        "colour": said.colour in true_colours(measures),
        "second_colour": said.second_colour in true_second_colours(measures, said.colour),
        "saturation": said.saturation in saturation,
        "detail": said.detail in detail,
        "mood": said.mood in moods,
        "action": said.action in actions,
        "light": said.light in {_LIGHT[name][tone] for name, tone in product(brightness, tones)},
        "place": said.place in true_places(measures),
    }


def _key(table: Mapping[str, str], piece: str) -> str:
    return next(name for name, value in table.items() if value == piece)


def _pattern(*tables: Iterable[str]) -> re.Pattern[str]:
    def groups() -> Iterator[str]:
        for table in tables:
            longest_first = sorted(table, key=len, reverse=True)
            yield "(" + "|".join(re.escape(piece) for piece in longest_first) + ")"

    return re.compile("".join(groups()))


_VISUAL_CONTENT: Final = _pattern(
    *(_BRIGHTNESS.values(), _SATURATION.values(), _COLOUR.values()),
    *(_SECOND_COLOUR.values(), _DETAIL.values()),
)
_SETTING: Final = _pattern(
    [light for lights in _LIGHT.values() for light in lights], _PLACE.values()
)
_MOODS: Final = {
    first + second
    for first, tones in product(_MOOD.values(), _MOOD_TONES.values())
    for second in tones
}
_ACTIONS: Final = {_STILL, *_ACTION.values()}
