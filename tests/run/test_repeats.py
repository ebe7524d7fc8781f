"""Nothing is asked twice: keyframes that look the same share one description, and say so."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import command
import pytest
from films import BLACK, Look, make_film, picture, still
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.film.picture.look import look_at

PLAIN = Look(rate=Fraction(5), has_index=False)
"""Pictures that look the same are the same: no index in them."""

Describe = Callable[..., Any]


@pytest.fixture
def describe(mock_server: ServerProgram, tiny_model: TinyModel) -> Describe:
    """Describe a film with the mock; the finished command is returned."""

    def run(film: Path, *options: str, **environment: str) -> Any:
        files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
        settings = {"CINECUT_LLAMA_SERVER": str(mock_server.path), **environment}
        return command.run("describe", film, *files, *options, **settings)

    return run


def scenes_of(film: Path) -> list[dict[str, Any]]:
    return command.read_journal(film.with_name(f"{film.name}.cinecut"))[1]


def requests_of(film: Path) -> int:
    """How often the server was asked about a picture of the film; the known picture is task 0."""
    log = film.with_name(f"{film.name}.cinecut") / "llama-server.log"
    return len(re.findall(r"launch_slot_: .* task [1-9]\d* \| processing task", log.read_text()))


def test_ten_minutes_of_one_slide_cost_one_request(tmp_path: Path, describe: Describe) -> None:
    film = make_film(tmp_path / "slide.mkv", still(1, 3000), PLAIN)

    done = describe(film, "--format", "all")

    scenes = scenes_of(film)
    assert len(scenes) >= 20
    assert requests_of(film) == 1
    assert [scene.get("same_as") for scene in scenes] == [None] + [0] * (len(scenes) - 1)
    assert len({json.dumps(scene["description"]) for scene in scenes}) == 1
    assert f"1 scenes described, {len(scenes) - 1} the same as others" in done.stderr
    page = (film.with_name("slide.mkv.cinecut") / "storyboard.html").read_text()
    assert page.count(f"One of {len(scenes)} that look the same, the first at 00:00:") == (
        len(scenes) - 1
    )


def test_alternating_stills_cost_as_many_requests_as_there_are_pictures(
    tmp_path: Path, describe: Describe
) -> None:
    thumbs = [thumb for number in range(20) for thumb in still(number % 3, 15)]
    film = make_film(tmp_path / "talk.mkv", thumbs, PLAIN)

    describe(film)

    same = [scene.get("same_as") for scene in scenes_of(film)]
    assert same == [None, None, None] + [number % 3 for number in range(3, 20)]
    assert requests_of(film) == 3


def test_each_is_asked_about_where_duplicates_are_kept(tmp_path: Path, describe: Describe) -> None:
    film = make_film(tmp_path / "slide.mkv", still(1, 600), PLAIN)

    describe(film, "--keep-duplicates")

    scenes = scenes_of(film)
    assert requests_of(film) == len(scenes) >= 4
    assert not any("same_as" in scene for scene in scenes)


def test_where_the_first_has_no_description_the_next_one_is_asked_about(
    tmp_path: Path, describe: Describe
) -> None:
    film = make_film(tmp_path / "slide.mkv", still(1, 900), PLAIN)

    describe(film, "--parallel", "1", CINECUT_MOCK_FAULT="bad-json@1-2")

    scenes = scenes_of(film)
    assert scenes[0]["skipped"]["reason"] == "malformed"
    assert [scene.get("same_as") for scene in scenes[1:]] == [None] + [1] * (len(scenes) - 2)


def test_a_run_that_goes_on_knows_what_was_described_before(
    tmp_path: Path, describe: Describe
) -> None:
    thumbs = [thumb for number in range(12) for thumb in still(number % 4, 15)]
    film = make_film(tmp_path / "talk.mkv", thumbs, PLAIN)
    describe(film)
    folder = film.with_name("talk.mkv.cinecut")
    whole = (folder / "scenes.jsonl").read_text().splitlines()
    run = json.loads(whole[0])
    run["finished"] = None
    kept = [json.dumps(run), *whole[1:4]]  # of four pictures three are described
    (folder / "scenes.jsonl").write_text("\n".join(kept) + "\n")

    describe(film)

    assert requests_of(film) == 1
    assert [scene.get("same_as") for scene in scenes_of(film)] == [None] * 4 + [0, 1, 2, 3] * 2


def test_a_budget_counts_keyframes_whether_they_are_the_same_or_not(
    tmp_path: Path, describe: Describe
) -> None:
    thumbs = [thumb for number in range(20) for thumb in still(number % 2, 15)]
    film = make_film(tmp_path / "talk.mkv", thumbs, PLAIN)

    describe(film, "--max-frames", "5")

    assert len(scenes_of(film)) == 5
    assert requests_of(film) <= 2


def test_scenes_come_in_film_order_however_slots_finish(
    tmp_path: Path, describe: Describe, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    """Also over two films, of which the second is being described before the first has ended."""
    films = []
    for name in ("one", "two"):
        thumbs = [thumb for seed in range(12) for thumb in still(seed, 10)]
        films.append(make_film(tmp_path / f"{name}.mkv", thumbs, PLAIN))

    done = describe(films[0], films[1], "--json", "--parallel", "4", CINECUT_MOCK_FRAME_S="0-0.4")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = [line["film"] for line in lines]
    assert names == sorted(names)
    for one, other in pairwise(lines):
        assert one["film"] != other["film"] or one["index"] < other["index"]
    assert len(lines) == sum(len(scenes_of(film)) for film in films)


def test_what_is_written_is_told_when_the_run_is_interrupted(
    tmp_path: Path, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    """The first frame is slow: what was described behind it is in the journal and on stdout."""
    thumbs = [thumb for seed in range(30) for thumb in still(seed, 10)]
    film = make_film(tmp_path / "film.mkv", thumbs, PLAIN)
    process = command.start(
        *("describe", film, "--model", tiny_model.model, "--mmproj", tiny_model.mmproj),
        *("--json", "--parallel", "4"),
        CINECUT_LLAMA_SERVER=str(mock_server.path),
        CINECUT_MOCK_FAULT="stall=60@1",
        CINECUT_MOCK_FRAME_S="0.2",
    )
    journal = film.with_name("film.mkv.cinecut") / "scenes.jsonl"
    while not journal.exists() or journal.read_text().count("\n") < 8:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 130
    told = [json.loads(line)["index"] for line in out.splitlines()]
    written = [json.loads(line)["index"] for line in journal.read_text().splitlines()[1:]]
    assert told == sorted(written)


def _jpeg(folder: Path, name: str, person_px: tuple[int, int] | None, level: int = 120) -> Path:
    """A house front of 1280 x 720 with many windows, and somebody at one of them."""
    width, height = 1280, 720
    rows = bytearray()
    for y in range(height):
        row = bytearray(bytes([110, 96, 84]) * width)
        if y % 90 > 30:
            for x in range(0, width, 80):
                row[3 * (x + 20) : 3 * (x + 60)] = bytes([60, 70, 90]) * 40
        if person_px and 400 <= y < 400 + person_px[1]:
            row[3 * 670 : 3 * (670 + person_px[0])] = bytes([level, level - 30, 60]) * person_px[0]
        rows += row
    frame = av.VideoFrame(width, height, "rgb24")
    assert frame.planes[0].line_size == 3 * width
    frame.planes[0].update(bytes(rows))
    path = folder / f"{name}.jpg"
    frame.to_image().save(path, quality=90)
    return path


@pytest.mark.parametrize("person_px", [(8, 16), (12, 30), (20, 40)])
def test_a_person_at_a_window_is_another_picture(
    tmp_path: Path, person_px: tuple[int, int]
) -> None:
    empty = look_at(_jpeg(tmp_path, "empty", None))
    again = look_at(_jpeg(tmp_path, "again", None))
    person = look_at(_jpeg(tmp_path, "person", person_px))

    assert empty
    assert again
    assert person
    assert empty.is_same_as(again)
    assert not empty.is_same_as(person)


def test_black_is_the_same_as_black_and_a_title_on_it_is_not(tmp_path: Path) -> None:
    title = BLACK[:201] + b"\xff" * 9 + BLACK[210:]
    film = make_film(tmp_path / "t.mkv", [BLACK, title, BLACK, picture(1)], PLAIN)
    looks = []
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            path = tmp_path / f"{number}.jpg"
            frame.to_image().save(path, quality=90)
            looks.append(look_at(path))

    black, titled, again, _ = looks
    assert black.is_same_as(again)
    assert not black.is_same_as(titled)


def test_slides_that_differ_in_a_mark_alone_are_each_asked_about_once(
    tmp_path: Path, describe: Describe
) -> None:
    """Twelve of them, all of one gist, three times over."""
    white = b"\xf0" * len(BLACK)
    slides = [white[: 36 * n] + b"\x20" * 6 + white[36 * n + 6 :] for n in range(12)]
    thumbs = [slide for slide in slides * 3 for _ in range(15)]
    film = make_film(tmp_path / "slides.mkv", thumbs, PLAIN)

    describe(film, "--interval", "1.5", "--scene-threshold", "0.01")

    scenes = scenes_of(film)
    asked = [scene for scene in scenes if "same_as" not in scene]
    assert len(scenes) >= 36
    assert requests_of(film) == len(asked)
    assert 12 <= len(asked) <= 14  # two changes may be caught in the middle
