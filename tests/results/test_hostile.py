"""A results folder may come from somebody else: it gives scenes or one notice, and does no harm."""

from __future__ import annotations

import json
import os
import re
import shutil
import zlib
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import command
import pytest
from hostile_results import EARLIER, SECRET, faults_of, make_place
from sample_results import results, scene
from server_process import ServerProgram

from cinecut.errors import OutputError
from cinecut.results import presentation
from cinecut.results.exports.formats import FORMATS, export, write_index
from cinecut.results.journal import PREVIOUS_NAME, Journal, is_being_written, read_finished_run
from cinecut.results.scenes import Run, parse_line, read_results, run_to_line, scene_to_line

MakeFolder = Callable[..., Path]

MTIME_NS = 1_767_323_045_000_000_000
FORTY = range(40)
RUN = results([]).run
RUN_LINE = json.loads(run_to_line(RUN))
SCENE_LINE = json.loads(scene_to_line(scene(0, 1.0)))
DEEP = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize("number", FORTY)
def test_a_folder_of_somebody_else_does_no_harm(number: int, tmp_path: Path) -> None:
    """The kinds of `scripts/fuzz_results`, and a few changes at random."""
    place = make_place(tmp_path, number)
    before = place.outsiders()
    for name in FORMATS:
        with suppress(OutputError):
            export(place.folder, [name])
    with suppress(OutputError):
        write_index([place.folder], tmp_path / "index.html")

    assert list(faults_of(place)) == []
    assert place.outsiders() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("film", 3), ("film", None), ("model", []), ("settings", "scan"), ("details", [1]),
        ("finished", []), ("finished", 3), ("finished", {"scenes": "7"}),
        ("finished", {"scenes": 1, "skipped": -1}), ("finished", {"scenes": True}),
        ("finished", {"skipped": 10**400}), ("details", {"a": DEEP}),
        ("details", {"duration_s": float("nan")}), ("film", {"size": float("inf")}),
    ],
)  # fmt: skip
def test_a_run_of_other_types_is_no_run(field: str, value: Any) -> None:
    assert parse_line(json.dumps({**RUN_LINE, field: value})) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", True), ("index", -1), ("index", "0"), ("index", 0.5), ("index", 10**400),
        ("same_as", True), ("same_as", -1), ("same_as", 10**12), ("elapsed_s", "1"),
        ("elapsed_s", -1), ("elapsed_s", None), ("keyframe", None), ("keyframe", []),
        ("description", "a dog"), ("description", {"mood": 3}), ("skipped", "no"),
        ("skipped", {"reason": 1, "detail": ""}), ("skipped", {"reason": "timeout"}),
    ],
)  # fmt: skip
def test_a_scene_of_other_types_is_no_scene(field: str, value: Any) -> None:
    assert parse_line(json.dumps(SCENE_LINE)) is not None
    assert parse_line(json.dumps({**SCENE_LINE, field: value})) is None


def test_what_a_later_version_adds_is_passed_over() -> None:
    later = {**SCENE_LINE, "keyframe": {**SCENE_LINE["keyframe"], "sound": 1}, "faces": [DEEP[:0]]}

    assert parse_line(json.dumps(later)) == scene(0, 1.0)
    assert parse_line(json.dumps({**RUN_LINE, "colour": "red"})) == RUN


@pytest.mark.parametrize("length", [True, "long", [], -3, 10**18, 1e300])
def test_a_length_that_is_none_is_no_length(length: Any, make_folder: MakeFolder) -> None:
    folder = make_folder([scene(0, 1.0)], length_s=length)

    export(folder, FORMATS)

    assert presentation.duration_s(read_results(folder)) is None


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "7" * 400])
def test_a_number_that_no_reader_of_json_takes_spoils_its_line(number: str) -> None:
    line = run_to_line(RUN)

    assert parse_line(line.replace(":600", f":{number}")) is None


def test_of_two_runs_the_first_counts(make_folder: MakeFolder) -> None:
    folder = make_folder([scene(0, 1.0)], film="first.mkv")
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(run_to_line(results([], film="second.mkv").run))

    read = read_results(folder)

    assert read.run.film == {"name": "first.mkv"}
    assert read.unreadable_lines == 1


def test_an_endless_line_is_passed_over_and_not_held(make_folder: MakeFolder) -> None:
    folder = make_folder([scene(0, 1.0), scene(1, 2.0)])
    first, *others = (folder / "scenes.jsonl").read_text().splitlines(keepends=True)
    lines = [first, others[0], "x" * (5 << 20) + "\n", "[" * (2 << 20) + "\n", others[1]]
    (folder / "scenes.jsonl").write_text("".join(lines))

    read = read_results(folder)

    assert len(read.scenes) == 2
    assert read.unreadable_lines == 2


def test_of_a_journal_of_one_endless_line_only_the_beginning_is_looked_at(tmp_path: Path) -> None:
    """A thousand finished films are passed over in a second."""
    with (tmp_path / "scenes.jsonl").open("wb") as journal:
        journal.truncate(1 << 32)  # zeros without a line break, on paper

    assert read_finished_run(tmp_path) is None


def test_export_says_how_many_lines_it_passed_over(make_folder: MakeFolder) -> None:
    folder = make_folder([scene(0, 1.0)])
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write("what?\n[]\n")

    done = command.run("export", folder, "--format", "csv")

    assert done.returncode == 0
    assert done.stdout == f"{folder / 'scenes.csv'}\n"
    assert done.stderr == (
        f"{folder.name}: 2 lines of the journal were passed over: damaged, or none of CineCut's.\n"
    )


def test_a_folder_with_escapes_in_its_name_is_printed_safely(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    """And blanks in it stay, so that a script finds the file."""
    folder = make_folder([scene(0, 1.0)]).rename(
        tmp_path / "a  \x1b]0;owned\x07\x1b[2J\udce9.cinecut"
    )

    done = command.run("export", folder, folder / "gone", "--format", "csv")

    assert done.returncode == 3
    assert done.stdout == f"{tmp_path}/a  �]0;owned��[2J�.cinecut/scenes.csv\n"
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


LEADING_AWAY = [
    "/etc/passwd",
    "x/..",
    "..",
    "",
    "C:\\..",
    "frames/a.svg",
    "a\0.jpg",
]


@pytest.mark.parametrize("path", [*LEADING_AWAY, "a link", "a pipe", "a folder", "all links"])
def test_a_picture_elsewhere_is_not_shown(path: str, make_folder: MakeFolder) -> None:
    """The others are."""
    folder = make_folder([scene(0, 1.0), scene(1, 2.0)])
    frames = folder / "frames"
    own = frames / "000001000.jpg"
    match path:
        case "a link":
            own.rename(folder.parent / "secret.jpg")
            own.symlink_to(folder.parent / "secret.jpg")
        case "a pipe":
            own.unlink()
            os.mkfifo(own)
        case "all links":
            frames.rename(folder.parent / "elsewhere")
            frames.symlink_to(folder.parent / "elsewhere")
        case "a folder":
            own.unlink()
            own.mkdir()
        case _:
            lines = (folder / "scenes.jsonl").read_text()
            written = json.dumps("/somewhere/else/frames/000001000.jpg")
            (folder / "scenes.jsonl").write_text(lines.replace(written, json.dumps(path)))

    export(folder, FORMATS)
    index = write_index([folder], folder.parent / "index.html").read_text()
    [packed] = re.findall(r'class="texts">([^<]*)<', index)
    index += zlib.decompress(b64decode(packed)).decode()

    shown = json.loads((folder / "scenes.json").read_text())["scenes"]
    second = None if path == "all links" else "frames/000002000.jpg"
    assert [entry["picture"] for entry in shown] == [None, second]
    for name in ("storyboard.html", "scenes.md", "scenes.csv"):
        text = (folder / name).read_text()
        assert "000001000.jpg" not in text
        assert ("000002000.jpg" in text) == (second is not None)
    assert "000001000.jpg" not in index
    assert ("000002000.jpg" in index) == (second is not None)
    assert "No picture" in (folder / "scenes.md").read_text()


def test_an_index_replaces_no_device_and_no_link(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder([scene(0, 1.0)])
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "page").symlink_to("other.html")
    for name, kind in (("pipe", "a named pipe"), ("link", "a link"), ("page", "a link")):
        with pytest.raises(OutputError, match=f"{name} is {kind} and not a file of its own"):
            write_index([folder], tmp_path / name)

    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "page").is_symlink()


def test_what_is_in_an_exports_way_is_to_be_moved(make_folder: MakeFolder) -> None:
    folder = make_folder([scene(0, 1.0)])
    (folder / "scenes.csv").mkdir()
    with pytest.raises(OutputError, match="a folder and not a file of its own") as told:
        export(folder, FORMATS)

    assert "Move what is there away" in str(told.value.tip)
    assert json.loads((folder / "scenes.json").read_text())


def test_an_index_that_has_no_place_is_told_and_costs_no_other_file(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = make_folder([scene(0, 1.0)])
    journal = folder / "scenes.jsonl"
    before = journal.read_bytes()
    page = tmp_path / "page.html"
    for path, cause in (
        (tmp_path / "missing" / "page.html", "No such file"),
        (journal / "page.html", "Not a directory"),
        (journal, "no page"),
    ):
        with pytest.raises(OutputError, match=cause) as told:
            write_index([folder], path)
        assert "--index" in str(told.value.tip)
    page.touch()
    for _ in range(2):
        write_index([folder], page)

    assert journal.read_bytes() == before
    assert "storyboard" in page.read_text()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "loop"])
def test_what_is_no_journal_is_told_at_once_and_stays(kind: str, tmp_path: Path) -> None:
    path, victim = tmp_path / "scenes.jsonl", tmp_path / "victim"
    victim.write_text(SECRET)
    match kind:
        case "link":
            path.symlink_to(victim)
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
    before = path.lstat()
    for use in (read_results, read_finished_run, lambda folder: Journal(folder, RUN).__enter__()):
        with pytest.raises(OutputError, match=r"scenes\.jsonl is a"):
            use(tmp_path)

    assert path.lstat().st_ino == before.st_ino
    assert victim.read_text() == SECRET


@pytest.mark.parametrize("name", [".scenes.jsonl.0.part", PREVIOUS_NAME, "scenes.tmp"])
def test_a_journal_writes_through_no_link(name: str, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "movie.mkv.cinecut"
    victim.write_text(SECRET)
    folder.mkdir()
    (folder / name).symlink_to(victim)
    for run in (RUN, Run({}, {}, {})):
        with Journal(folder, run) as journal:
            journal.append(scene(0, 1.0))
            journal.finish({})

    assert victim.read_text() == SECRET
    assert (folder / PREVIOUS_NAME).is_file()
    assert not (folder / PREVIOUS_NAME).is_symlink()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "new")
    with pytest.raises(OutputError, match=r"\.lock is a link"):
        Journal(tmp_path, RUN).__enter__()

    assert not is_being_written(tmp_path)
    assert not (tmp_path / "new").exists()


def test_a_journal_of_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "scenes.jsonl").write_text("my diary\nof many years\n")
    with Journal(tmp_path, RUN) as journal:
        assert journal.replaced_another_run

    assert (tmp_path / PREVIOUS_NAME).read_text() == "my diary\nof many years\n"


def test_a_folder_in_the_place_of_the_log_ends_no_batch(
    tmp_path: Path, mock_server: ServerProgram
) -> None:
    """The server of all films writes beside the first; here its word goes elsewhere."""
    films = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        films.append(Path(shutil.copy(EARLIER / "film.mkv", tmp_path / name)))
    log = tmp_path / "first" / "film.mkv.cinecut" / "llama-server.log"
    log.mkdir(parents=True)

    run = command.run(
        *("describe", *films, "--model", EARLIER / "model.gguf"),
        *("--mmproj", EARLIER / "mmproj.gguf"),
        CINECUT_LLAMA_SERVER=str(mock_server.path),
    )

    assert run.returncode == 0, run.stderr
    assert list(log.iterdir()) == []
    for film in films:
        assert read_results(film.with_name("film.mkv.cinecut")).scenes


def test_what_is_kept_replaces_no_pipe_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "scenes.jsonl").write_text("my diary\n")
    (tmp_path / PREVIOUS_NAME).mkdir()
    with pytest.raises(OutputError, match=r"scenes\.previous\.jsonl is a folder"):
        Journal(tmp_path, RUN).__enter__()
    (tmp_path / PREVIOUS_NAME).rmdir()
    os.mkfifo(tmp_path / PREVIOUS_NAME)
    with pytest.raises(OutputError, match=r"scenes\.previous\.jsonl is a named pipe"):
        Journal(tmp_path, RUN).__enter__()

    assert (tmp_path / "scenes.jsonl").read_text() == "my diary\n"


def test_a_batch_goes_on_past_what_is_hostile(tmp_path: Path, mock_server: ServerProgram) -> None:
    """One film is resumed with a notice, three are refused, and the last is described."""
    victim = tmp_path / "victim"
    victim.write_text(SECRET)
    films = {}
    for name in ("damaged", "piped", "linked", "framed", "logged", "plain"):
        (tmp_path / name).mkdir()
        shutil.copy(EARLIER / "film.en.srt", tmp_path / name)
        films[name] = Path(shutil.copy(EARLIER / "film.mkv", tmp_path / name))
        os.utime(films[name], ns=(MTIME_NS, MTIME_NS))
    folders = {name: film.with_name("film.mkv.cinecut") for name, film in films.items()}
    for name in ("damaged", "framed", "logged"):
        shutil.copytree(EARLIER / "stopped", folders[name])
    with (folders["damaged"] / "scenes.jsonl").open("ab") as journal:
        journal.write(b"\n[]\n" + b"[" * 100_000 + b"\n" + bytes(100) + b"\n")
    folders["piped"].mkdir()
    os.mkfifo(folders["piped"] / "scenes.jsonl")
    folders["linked"].mkdir()
    (folders["linked"] / "scenes.jsonl").symlink_to(victim)
    shutil.rmtree(folders["framed"] / "frames")
    (tmp_path / "elsewhere").mkdir()
    (folders["framed"] / "frames").symlink_to(tmp_path / "elsewhere")
    picture = next((folders["logged"] / "frames").iterdir())
    for link in (
        picture,
        folders["logged"] / "llama-server.log",
        folders["logged"] / "scenes.json",
    ):
        link.unlink(missing_ok=True)
        link.symlink_to(victim)

    run = command.run(
        *("describe", films["logged"], *films.values(), "--format", "json"),
        *("--model", EARLIER / "model.gguf", "--mmproj", EARLIER / "mmproj.gguf"),
        CINECUT_LLAMA_SERVER=str(mock_server.path),
    )

    assert run.returncode == 3, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.count("Failed to use results") == 3
    assert "scenes.jsonl is a named pipe" in run.stderr
    assert "scenes.jsonl is a link" in run.stderr
    assert "frames is a link" in run.stderr
    assert "4 lines of the journal were passed over" in run.stderr
    for name in ("damaged", "logged", "plain"):
        exported = json.loads((folders[name] / "scenes.json").read_text())
        assert len(exported["scenes"]) == 10
        assert not picture.is_symlink()
    assert victim.read_text() == SECRET
    assert list((tmp_path / "elsewhere").iterdir()) == []
