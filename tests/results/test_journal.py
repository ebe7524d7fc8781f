"""What is in the journal stays, whatever ends the process; nothing stands there twice."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from full_disk import full_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_results import results, scene

from cinecut.errors import OutputError
from cinecut.inference.asking import LARGEST_REPLY_BYTES
from cinecut.inference.models import SceneDescription
from cinecut.models import KeyframeRecord, Skip
from cinecut.results.entries import LONGEST_LINE_BYTES
from cinecut.results.journal import PREVIOUS_NAME, Journal, read_finished_run
from cinecut.results.scenes import Run, Scene, parse_line, read_results, run_to_line, scene_to_line

SCENES = [
    scene(0, 1.5),
    scene(1, 3.25, skip=Skip("timeout", "No reply within 60 s.")),
    scene(2, 83.208, seen="A caf\N{LATIN SMALL LETTER E WITH ACUTE}, \u2028 and a \x00."),
    scene(3, 7200.001),
]
RUN = replace(results(SCENES, film="a \ud800 film.mkv").run, finished=None)
OTHER_RUN = replace(RUN, settings={"scan": "iframes"})
PATIENCE_S = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "movie.mkv.cinecut"


def write(folder: Path, scenes: list[Scene], run: Run = RUN, *, finish: bool = False) -> None:
    with Journal(folder, run) as journal:
        for one in scenes:
            if journal.find(one.keyframe.timestamp_s) is None:
                journal.append(one)
        if finish:
            journal.finish({"scenes": len(journal.scenes)})


def lines_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]


def test_the_first_line_is_the_run_and_each_other_line_a_scene(folder: Path) -> None:
    write(folder, SCENES)
    first, *others = lines_of(folder)

    assert first["type"] == "run"
    assert first["finished"] is None
    assert [line["type"] for line in others] == ["scene"] * 4
    assert read_results(folder).scenes == SCENES


def test_a_line_is_there_as_soon_as_it_was_appended(folder: Path) -> None:
    with Journal(folder, RUN) as journal:
        for count, one in enumerate(SCENES, 1):
            journal.append(one)
            assert read_results(folder).scenes == SCENES[:count]


@given(texts=st.lists(st.text().map(lambda text: f"a{text}b"), min_size=4, max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_model_says_reads_back(folder: Path, texts: list[str]) -> None:
    words = dict(zip(("seen", "mood", "action", "setting"), texts, strict=True))
    said = scene(0, 1.0, **words)
    with Journal(folder, RUN, fresh=True) as journal:
        journal.append(said)

    assert read_results(folder).scenes == [said]
    assert len((folder / "scenes.jsonl").read_bytes().splitlines()) == 2


@pytest.mark.parametrize("kind", ["cut off", "zeros", "garbage"])
def test_a_write_that_ends_at_any_byte_costs_one_scene_at_most(folder: Path, kind: str) -> None:
    """As a kill or a power cut leaves it; the next run ends with every scene, each once."""
    write(folder, SCENES)
    path = folder / "scenes.jsonl"
    whole = path.read_bytes()
    rest = {"cut off": b"", "zeros": bytes(50), "garbage": b'{"type":"sc\xff\xfe'}[kind]
    line_ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    near_one = {end + off for end in [0, *line_ends] for off in (-2, -1, 0, 1, 2)}
    for end in sorted(near_one | set(range(0, len(whole), 11))):
        if not 0 <= end <= len(whole):
            continue
        path.write_bytes(whole[:end] + rest)
        with Journal(folder, RUN) as journal:
            lost = [one for one in SCENES if journal.find(one.keyframe.timestamp_s) is None]
            assert len(lost) <= 4 - max(0, whole[:end].count(b"\n") - 1)
            for one in lost:
                journal.append(one)
            journal.finish({})
        assert read_results(folder).scenes == SCENES
        assert read_results(folder).unreadable_lines == 0
        assert not (folder / PREVIOUS_NAME).exists()


def test_a_torn_line_in_the_middle_costs_that_scene(folder: Path) -> None:
    write(folder, SCENES)
    path = folder / "scenes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:20] + b"\n", *lines[3:]]))

    assert read_results(folder).unreadable_lines == 1
    write(folder, SCENES, finish=True)
    assert read_results(folder).scenes == SCENES
    assert read_results(folder).unreadable_lines == 0


def test_a_scene_that_stands_there_twice_counts_once_as_its_last_line_says(folder: Path) -> None:
    write(folder, SCENES)
    again = scene(0, 1.5, seen="A cat.")
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(scene_to_line(again))

    assert read_results(folder).scenes == [again, *SCENES[1:]]


def test_a_second_run_does_what_is_missing_and_repeats_nothing(folder: Path) -> None:
    write(folder, SCENES[:2])
    write(folder, SCENES)

    assert [line["type"] for line in lines_of(folder)] == ["run"] + ["scene"] * 4


def test_a_finished_journal_is_in_film_order_and_says_so(folder: Path) -> None:
    write(folder, [SCENES[2], SCENES[0], SCENES[3], SCENES[1]])
    assert read_finished_run(folder) is None

    write(folder, SCENES, finish=True)

    assert [line.get("index") for line in lines_of(folder)] == [None, 0, 1, 2, 3]
    finished = read_finished_run(folder)
    assert finished is not None
    assert finished.finished == {"scenes": 4}
    assert finished.same_work_as(RUN)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "scenes.jsonl"]


def test_other_settings_keep_the_old_scenes_aside(folder: Path) -> None:
    write(folder, SCENES)
    with Journal(folder, OTHER_RUN) as journal:
        assert journal.replaced_another_run
        assert journal.scenes == {}
        journal.append(SCENES[0])

    kept = (folder / PREVIOUS_NAME).read_text().splitlines(keepends=True)
    assert kept == [run_to_line(RUN), *map(scene_to_line, SCENES)]
    assert read_results(folder).run == OTHER_RUN
    assert read_results(folder).scenes == SCENES[:1]


def test_a_fresh_run_keeps_the_old_scenes_aside_too(folder: Path) -> None:
    write(folder, SCENES)
    with Journal(folder, RUN, fresh=True) as journal:
        assert not journal.replaced_another_run, "nobody is told what they asked for"
        assert journal.scenes == {}

    assert (folder / PREVIOUS_NAME).exists()


def test_a_journal_without_scenes_is_not_worth_keeping(folder: Path) -> None:
    """It must not push aside what was kept before it."""
    write(folder, SCENES)
    write(folder, [], OTHER_RUN)
    write(folder, [], replace(RUN, settings={"scan": "another"}))

    assert len((folder / PREVIOUS_NAME).read_text().splitlines()) == 5


HOLDER = """
import pickle, sys
from cinecut.results.journal import Journal
folder, run = pickle.loads(sys.stdin.buffer.read(int(sys.argv[1])))
with Journal(folder, run):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that has the journal open."""
    told = pickle.dumps((folder, RUN))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(len(told))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(told)
        process.stdin.flush()
        assert process.stdout.readline() == b"open\n"
        try:
            yield process
        finally:
            process.kill()


def test_two_runs_at_once_are_refused_and_leave_the_journal_alone(folder: Path) -> None:
    write(folder, SCENES)
    before = (folder / "scenes.jsonl").read_bytes()
    with another_process(folder):
        for run in (RUN, OTHER_RUN):
            with pytest.raises(OutputError, match="Another process is describing this film"):
                Journal(folder, run).__enter__()
        assert (folder / "scenes.jsonl").read_bytes() == before


def test_the_death_of_the_other_process_frees_the_journal(folder: Path) -> None:
    with another_process(folder) as process:
        process.kill()
        process.wait(PATIENCE_S)
        write(folder, SCENES)

    assert read_results(folder).scenes == SCENES


def test_two_in_one_process_are_refused_too(folder: Path) -> None:
    with Journal(folder, RUN), pytest.raises(OutputError, match="Another process"):
        Journal(folder, RUN).__enter__()
    with Journal(folder, RUN):
        pass


def test_a_full_disk_is_told_at_once_and_costs_one_scene(folder: Path) -> None:
    write(folder, SCENES[:1])
    size = (folder / "scenes.jsonl").stat().st_size
    for room in range(size, size + len(scene_to_line(SCENES[1])), 37):
        with Journal(folder, RUN) as journal, full_disk(room):
            with pytest.raises(OutputError, match="File too large"):
                journal.append(SCENES[1])
            journal.close()
        assert read_results(folder).scenes == SCENES[:1]

    write(folder, SCENES, finish=True)
    assert read_results(folder).scenes == SCENES


def test_on_a_full_disk_the_unfinished_journal_stands(folder: Path) -> None:
    write(folder, SCENES)
    before = (folder / "scenes.jsonl").read_bytes()
    with Journal(folder, RUN) as journal:
        too_large = pytest.raises(OutputError, match="File too large")
        with full_disk(200), too_large:
            journal.finish({})

    assert (folder / "scenes.jsonl").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "scenes.jsonl"]
    write(folder, [], finish=True)
    assert read_results(folder).scenes == SCENES


def test_a_folder_that_cannot_be_made_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Failed to use results"):
        Journal(tmp_path / "file" / "movie.mkv.cinecut", RUN).__enter__()


def test_a_folder_that_has_gone_is_told_at_the_end(folder: Path) -> None:
    with Journal(folder, RUN) as journal:
        journal.append(SCENES[0])
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        with pytest.raises(OutputError):
            journal.finish({})


def test_closing_twice_is_fine(folder: Path) -> None:
    journal = Journal(folder, RUN).__enter__()
    journal.close()
    journal.close()
    with Journal(folder, RUN):
        pass


@pytest.mark.parametrize(
    "change",
    [
        '"timestamp_s":NaN', '"timestamp_s":Infinity', '"timestamp_s":-1', '"timestamp_s":1e308',
        '"same_as":Infinity', '"same_as":1e999', '"index":1e999', '"elapsed_s":[]',
    ],
)  # fmt: skip
def test_a_line_with_an_absurd_number_is_no_scene(change: str) -> None:
    name = change.partition(":")[0]
    whole = (
        '{"type":"scene","index":0,"keyframe":{"timestamp_s":1.0,"frame_path":"/f/1.jpg",'
        '"source":"scene_change"},"description":null,"skipped":null,"elapsed_s":0.1,"same_as":null}'
    )
    assert parse_line(whole) is not None
    changed = re.sub(f"{name}:[^,}}]+", change, whole)

    assert changed != whole
    assert parse_line(changed) is None


def test_the_longest_reply_there_can_be_is_a_line_that_reads_back() -> None:
    """Two bytes of UTF-8 become six when they are escaped, more than any others."""
    text = "é" * (LARGEST_REPLY_BYTES // 2)
    described = SceneDescription(visual_content=text, mood="m", action="a", setting="s")
    line = scene_to_line(Scene(0, KeyframeRecord(1.0, "1.jpg", "scene_change"), described, None, 1))

    assert len(line) < LONGEST_LINE_BYTES
    scene = parse_line(line)
    assert isinstance(scene, Scene)
    assert scene.description == described


def test_what_became_of_the_words_stands_in_their_line(folder: Path) -> None:
    """And in no other, so that other lines are those of earlier versions."""
    words = SCENES[0].description
    assert words is not None
    cut = words.model_copy(update={"shortened": ("mood", "setting"), "repeats_itself": True})
    write(folder, [replace(SCENES[0], description=cut), *SCENES[1:]])
    _, first, *others = lines_of(folder)

    assert first["shortened"] == ["mood", "setting"]
    assert first["repeats_itself"] is True
    assert first["description"] == words.model_dump()
    assert not any({"shortened", "repeats_itself"} & line.keys() for line in others)
    assert read_results(folder).scenes[0].description == cut


@pytest.mark.parametrize(("told", "known"), [([], ()), (["mood", "smell"], ("mood",))])
def test_a_later_versions_remarks_do_not_hide_a_scene(
    told: list[str], known: tuple[str, ...]
) -> None:
    line = {**json.loads(scene_to_line(SCENES[0])), "shortened": told}
    entry = parse_line(json.dumps(line))

    assert isinstance(entry, Scene)
    assert entry.description is not None
    assert entry.description.shortened == known
    assert parse_line(json.dumps({**line, "shortened": "mood"})) is None
    assert parse_line(json.dumps({**line, "repeats_itself": 1})) is None
