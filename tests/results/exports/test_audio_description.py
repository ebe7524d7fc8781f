"""The audio description: nothing is told over the dialogue, and players read it back."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from itertools import pairwise
from pathlib import Path

import av
import command
import pytest
from browser import Page
from films import make_film, still
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_results import results, scene

from cinecut.cli.export import export as cli_export
from cinecut.models import DialogueLine, Skip
from cinecut.results.exports.audio_description import (
    WORDS_PER_MINUTE,
    to_descriptions,
    what_is_missing,
    words_aloud,
)
from cinecut.results.exports.formats import export
from cinecut.results.scenes import Results, Scene

MakeFolder = Callable[..., Path]


def spoken(scene: Scene, *spans_s: tuple[float, float], part: int | None = None) -> Scene:
    """Return `scene` with something said in each of `spans_s`."""
    lines = tuple(DialogueLine(*span, "Mind the bridge!") for span in spans_s)
    return replace(scene, dialogue=lines, part=part)


def told(results: Results, words_per_minute: float = 160) -> list[tuple[float, float, str]]:
    """Return begin and end, in seconds, and text of each cue, as players on FFmpeg read them."""
    file = io.BytesIO(to_descriptions(results, words_per_minute).encode())
    with av.open(file, format="webvtt") as container:
        return [
            (
                packet.pts / 1000,
                (packet.pts + packet.duration) / 1000,
                html.unescape(subtitle.dialogue.decode()),
            )
            for packet in container.demux(subtitles=0)
            for subtitle in (packet.decode() if packet.size else [])
        ]


TEXTS = [
    "A dog runs. A gull flies up.",
    "Two men talk in a car. Rain falls on the windscreen, and the road is dark.",
    "犬が浜辺を走る。空は青い。",
    "<b>x</b> --> & {\\an8}",
    "A very long description of a hall with pillars, guests in evening dress, waiters with "
    "trays, a band upon a stage and a woman in red who stands at the door. She waits",
]
moment = st.integers(0, 120_000).map(lambda ms: ms / 1000)
spans = st.tuples(moment, moment.map(lambda s: s / 10)).map(
    lambda span: (span[0], round(sum(span), 3))
)
scenes = st.builds(
    lambda at, seen, happens, text, part, said, skipped: spoken(
        scene(
            *(0, at, seen),
            action=happens,
            text=text,
            skip=Skip("timeout", "") if skipped else None,
        ),
        *said,
        part=part,
    ),
    moment,
    st.sampled_from(TEXTS),
    st.sampled_from(TEXTS),
    st.sampled_from([None, "", *TEXTS]),
    st.sampled_from([None, 0, 1]),
    st.lists(spans, max_size=3),
    st.booleans(),
)


@settings(deadline=None)
@given(
    scenes=st.lists(scenes, max_size=12, unique_by=lambda scene: scene.keyframe.timestamp_s),
    length_s=st.sampled_from([None, 60.0, 130.0]),
    speed=st.integers(60, 600),
)
def test_nothing_is_told_over_the_dialogue_nor_faster_than_it_is_read(
    scenes: list[Scene], length_s: float | None, speed: int
) -> None:
    scenes = [replace(one, index=i) for i, one in enumerate(sorted(scenes, key=by_time))]

    cues = told(results(scenes, length_s=length_s), speed)

    lines = [line for one in scenes for line in one.dialogue]
    for begin, end, text in cues:
        standing = [one for one in scenes if by_time(one) <= begin][-1].description
        assert standing, "of another scene's time"
        assert words(text) <= words(" ".join(standing.model_dump().values()))
        assert all(end <= line.start_s or line.end_s <= begin for line in lines)
        assert (end - begin) * speed / 60 >= words_aloud(text) - 1e-6
        assert length_s is None or end <= length_s
    for (_, end, _), (begin, _, _) in pairwise(cues):
        assert end <= begin


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def by_time(scene: Scene) -> float:
    return scene.keyframe.timestamp_s


def test_it_waits_for_the_end_of_a_line_and_says_where_what_and_what_happens() -> None:
    one = spoken(scene(0, 10.0), (9.0, 11.2), (30, 31))

    [(begin, end, text)] = told(results([one]))

    assert (begin, text) == (
        11.2,
        "A beach at dusk. A dog runs along the beach. It chases a gull.",
    )
    assert end == pytest.approx(11.2 + 14 * 60 / 160, abs=0.003)


@pytest.mark.parametrize(
    ("room_s", "text"),
    [
        (2.2, None),
        (2.3, "A dog runs along the beach."),
        (3.8, "A dog runs along the beach. It chases a gull."),
        (5.3, "A beach at dusk. A dog runs along the beach. It chases a gull."),
        (8.0, "A beach at dusk. A dog runs along the beach. Waves roll in. It chases a gull."),
    ],
)
def test_it_is_shortened_by_whole_sentences(room_s: float, text: str | None) -> None:
    """What is seen first is never left out for the rest, and Mr. Smith is no sentence."""
    one = scene(0, 10.0, "A dog runs along the beach. Waves roll in.")
    known = results([spoken(one, (0, 10), (10 + room_s, 700))])

    assert [cue[2] for cue in told(known)] == ([text] if text else [])
    left_out, shortened = int(text is None), int(text is not None and "Waves" not in text)
    said = what_is_missing(known)
    assert (f"leaves out {left_out} of 1 scenes and shortens {shortened}" in said) == (room_s < 8)


def test_of_several_gaps_the_first_with_room_for_all_is_taken() -> None:
    one = spoken(scene(0, 10.0), (9, 11), (14, 15), (25, 26), (40, 41))

    assert [cue[0] for cue in told(results([one, scene(1, 50.0, "Sea.")]))] == [15.0, 50.0]


def test_what_was_told_is_not_told_again_until_another_part_begins() -> None:
    """Nor where it is, which a model words anew for each picture."""
    other = "A woman reads."
    scenes = [
        spoken(scene(0, 10.0), part=0),
        replace(spoken(scene(1, 20.0), part=0), same_as=0),
        spoken(scene(2, 30.0, other, setting="The beach, in the evening"), part=0),
        replace(spoken(scene(3, 40.0), part=0), same_as=0),
        spoken(scene(4, 50.0, other, action="She nods.", setting="A kitchen"), part=1),
        spoken(scene(5, 70.0, action="It sleeps."), part=1),
    ]

    assert [(begin, text) for begin, _, text in told(results(scenes))] == [
        (10.0, "A beach at dusk. A dog runs along the beach. It chases a gull."),
        (30.0, "A woman reads."),
        (50.0, "A kitchen. She nods."),
        (70.0, "A dog runs along the beach. It sleeps."),
    ]


def test_a_title_is_no_end_of_a_sentence_and_a_compound_no_single_word() -> None:
    room = spoken(scene(0, 0.0, "Mr. Smith sits at the window of the train."), (1.0, 700))

    assert told(results([room])) == []
    assert words_aloud("Donaudampfschifffahrtsgesellschaft") > 2
    assert words_aloud("犬が浜辺を走る") > 4
    assert words_aloud("— & …") == 0


def test_without_dialogue_all_is_told_and_a_notice_says_so(
    make_folder: MakeFolder,
) -> None:
    folder = make_folder([scene(0, 1.0), scene(1, 30.0, "The sea.")])

    named = command.run("export", folder, "--format", "ad")
    every = command.run("export", folder, "--format", "all")

    assert named.returncode == 0
    assert named.stdout == f"{folder / 'descriptions.vtt'}\n"
    assert named.stderr == (
        f"{folder.name}: No dialogue is known, so the audio description may speak over some.\n"
    )
    assert every.stderr == ""
    assert "NOTE No dialogue is known" in (folder / "descriptions.vtt").read_text()


def test_who_listens_faster_hears_more(make_folder: MakeFolder) -> None:
    folder = make_folder([spoken(scene(0, 1.0), (0, 1), (5, 700))])

    slow = command.run("export", folder, "--format", "ad", "--words-per-minute", "100")
    at_first = (folder / "descriptions.vtt").read_text()
    fast = command.run("export", folder, "--format", "ad", CINECUT_WORDS_PER_MINUTE="300")

    assert signature(cli_export).parameters["words_per_minute"].default == WORDS_PER_MINUTE
    assert "shortens 1: there is no room for more at 100 words a minute." in slow.stderr
    assert fast.stderr == ""
    assert len(at_first) != len((folder / "descriptions.vtt").read_text())
    refused = command.run("export", folder, "--format", "ad", "--words-per-minute", "0")
    assert refused.returncode == 2
    assert "greater than or equal to 60" in refused.stderr


def test_a_browser_reads_it_as_descriptions(make_folder: MakeFolder, page: Page) -> None:
    """Times and texts of its cues are those that were written, markup and clocks among them."""
    seen = ["<b>bold</b> & {x} --> at 00:00:01.000 it ends", "犬が浜辺を走る。", "A man."]
    scenes = [spoken(scene(i, 10.0 * i, text), part=i) for i, text in enumerate(seen)]
    folder = make_folder(scenes)
    [path] = export(folder, ["ad"])
    film = make_film(folder.parent / "movie.mp4", still(1, 40))
    player = folder / "player.html"
    player.write_text("<!doctype html><video></video>")
    page.open(player)

    source = json.dumps(path.read_text())
    cues = page.js(
        f"""(async () => {{
        const video = document.querySelector('video');
        video.src = {json.dumps(film.as_uri())};
        const track = document.createElement('track');
        track.kind = 'descriptions';
        const read = new Promise(done => track.onload = done);
        video.append(track);
        track.track.mode = 'hidden';
        track.src = URL.createObjectURL(new Blob([{source}], {{type: 'text/vtt'}}));
        await read;
        return Array.from(track.track.cues, cue =>
            [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]);
        }})()"""
    )

    assert [tuple(cue) for cue in cues] == told(results(scenes))
    assert len(cues) == len(seen)
    assert re.search("bold", cues[0][2])
