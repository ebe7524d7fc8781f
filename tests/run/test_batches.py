"""Many films in one command, and what is part of a run's identity."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import command
import pytest
from clips import BIG_BUCK_BUNNY, BIKES
from films import make_film, still

from cinecut.cli.describe_view import DescribeView
from cinecut.cli.terminal import Terminal
from cinecut.errors import FilmError
from cinecut.run.outcomes import Batch, FilmOutcome

pytestmark = pytest.mark.usefixtures("with_mock")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of films, with a folder in it and files that are no films."""
    folder = tmp_path / "films"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    shutil.copy(BIKES, folder / "a.mp4")
    shutil.copy(BIG_BUCK_BUNNY, folder / "more" / "B.MP4")
    shutil.copy(BIKES, folder / ".hidden" / "c.mp4")
    (folder / "notes.txt").write_text("no film")
    return folder


def test_folders_are_looked_through_and_get_an_index(library: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    wanted = ["--recursive", "--format", "html", "--output-dir", results]
    done = command.run("describe", library, *wanted)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in results.iterdir()) == [
        "a.mp4.cinecut",
        "cinecut-index.html",
        "more",
    ]
    assert (results / "more" / "B.MP4.cinecut" / "storyboard.html").exists()
    index = (results / "cinecut-index.html").read_text()
    assert "a.mp4.cinecut/storyboard.html" in index
    assert "Outcome" in done.stderr

    again = command.run("describe", library, *wanted, CINECUT_LLAMA_SERVER="/nonexistent")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("done already") == 2


def test_a_folder_without_recursive_is_told(library: Path) -> None:
    done = command.run("describe", library)

    assert done.returncode == 1
    assert "Failed to read film 'films'.\n  Cause: It is a folder." in done.stderr
    assert "cinecut describe --recursive FOLDER" in done.stderr


def test_a_list_of_films_is_read_from_stdin(library: Path) -> None:
    names = f"{library / 'a.mp4'}\n\n{library / 'more' / 'B.MP4'}\n"
    done = subprocess.run(
        [command.cinecut_path(), "keyframes", "-", "--json"],
        input=names,
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
        timeout=command.PATIENCE_S,
    )

    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["film"] for line in done.stdout.splitlines()} == {"a.mp4", "B.MP4"}


def test_no_film_at_all_is_a_usage_error(tmp_path: Path) -> None:
    done = command.run("describe", tmp_path, "--recursive")

    assert done.returncode == 2
    assert "No film was named" in done.stderr


@pytest.mark.parametrize("option", ["--prompt-file", "--language"])
def test_question_and_language_belong_to_the_run(library: Path, option: str) -> None:
    """Other words are another run, not more of the same."""
    film, folder = library / "a.mp4", library / "a.mp4.cinecut"
    assert command.run("describe", film).returncode == 0
    words = library / "words.txt"
    words.write_text("Say what you see, as JSON.\n")
    value = {"--prompt-file": str(words), "--language": "Finnish"}[option]

    other = command.run("describe", film, option, value)

    assert other.returncode == 0, other.stderr
    assert "a new run begins" in other.stderr
    run, _ = command.read_journal(folder)
    expected = {"--prompt-file": "Say what you see, as JSON.", "--language": "in Finnish"}[option]
    assert expected in run["settings"]["instruction"]


def test_subtitles_that_come_later_belong_to_the_run(library: Path) -> None:
    """They give other keyframes: going on with them would mix two sets of scenes."""
    film, folder = library / "a.mp4", library / "a.mp4.cinecut"
    assert command.run("describe", film).returncode == 0
    sidecar = library / "a.srt"
    sidecar.write_text("1\n00:00:02,000 --> 00:00:03,000\nGood morning.\n")

    first = command.run("describe", film)
    again = command.run("describe", film)
    sidecar.write_text("1\n00:00:06,000 --> 00:00:07,000\nGood morning.\n")
    retimed = command.run("describe", film)

    assert "a new run begins" in first.stderr
    assert "done already" in again.stderr
    assert "a new run begins" in retimed.stderr
    _, scenes = command.read_journal(folder)
    said = [scene["keyframe"] for scene in scenes if "subtitle" in scene["keyframe"]["source"]]
    assert len(said) == 1
    assert said[0]["timestamp_s"] == pytest.approx(6.5, abs=0.05)


def test_of_several_subtitle_files_the_one_in_use_belongs_to_the_run(library: Path) -> None:
    """The best one by its name may be pictures, which are passed over, and others are not used."""
    film = library / "a.mp4"
    (library / "a.sub").write_bytes(b"\x00\x00\x01\xba" * 500)  # VobSub
    used = library / "a.en.srt"
    used.write_text("1\n00:00:02,000 --> 00:00:03,000\nGood morning.\n")
    assert command.run("describe", film).returncode == 0

    (library / "a.ger.srt").write_text("1\n00:00:04,000 --> 00:00:05,000\nGuten Morgen.\n")
    unused = command.run("describe", film)
    used.write_text("1\n00:00:06,000 --> 00:00:07,000\nGood morning.\n")
    retimed = command.run("describe", film)

    assert "done already" in unused.stderr
    assert "a new run begins" in retimed.stderr


def test_the_table_of_a_very_large_batch_has_only_what_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = Path("bad.mkv")
    outcomes = [FilmOutcome(Path(f"good{n}.mkv"), Path(f"good{n}")) for n in range(300)]
    batch = Batch([*outcomes, FilmOutcome(bad, error=FilmError(bad, "It is a folder."))])

    DescribeView(Terminal()).show_table(batch)

    shown = capsys.readouterr().err
    assert "good" not in shown
    assert "It is a folder." in shown
    assert "300 of 301 films are done." in shown


@pytest.mark.parametrize("order", ["describe", "keyframes"])
def test_a_tree_of_seasons_is_mirrored_in_another_folder(
    order: str, library: Path, tmp_path: Path
) -> None:
    tree, results = tmp_path / "tree", tmp_path / "results"
    for place in ("E01.mp4", "S1/E01.mp4", "S2/E01.mp4"):
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library / "a.mp4", tree / place)

    done = command.run(order, "--recursive", tree, "--output-dir", results)

    assert done.returncode == 0, done.stderr
    found = {path.relative_to(results).as_posix() for path in results.rglob("*.cinecut")}
    assert found == {"E01.mp4.cinecut", "S1/E01.mp4.cinecut", "S2/E01.mp4.cinecut"}


def test_results_of_a_tree_that_were_laid_flat_are_gone_on_with(
    library: Path, tmp_path: Path
) -> None:
    """Earlier versions did so; another film of the same name has its own place."""
    season, results = tmp_path / "tree" / "S1", tmp_path / "results"
    season.mkdir(parents=True)
    film = shutil.copy(library / "a.mp4", season / "E01.mp4")
    assert command.run("describe", film, "--output-dir", results).returncode == 0
    other = tmp_path / "tree" / "S2" / "E01.mp4"
    other.parent.mkdir()
    other.write_bytes(film.read_bytes())

    done = command.run("describe", "-r", season.parent, "--output-dir", results)

    assert done.returncode == 0, done.stderr
    assert "E01.mp4: done already" in done.stderr
    found = {path.relative_to(results).as_posix() for path in results.rglob("*.cinecut")}
    assert found == {"E01.mp4.cinecut", "S2/E01.mp4.cinecut"}


@pytest.mark.parametrize("order", ["describe", "keyframes"])
def test_films_that_would_share_a_results_folder_are_refused(
    order: str, library: Path, tmp_path: Path
) -> None:
    other = shutil.copy(library / "a.mp4", library / "more" / "a.mp4")
    done = command.run(order, library / "a.mp4", other, "--output-dir", tmp_path / "results")

    assert done.returncode == 2
    assert "would share a results folder" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_film_whose_results_folder_cannot_be_named_fails_alone(library: Path) -> None:
    """Its own name is 250 bytes long, and the folder's would have more than a name may have."""
    long = shutil.copy(library / "a.mp4", library / f"{'f' * 246}.mp4")
    done = command.run("describe", long, library / "a.mp4")

    assert done.returncode == 3
    assert "Cause: File name too long" in done.stderr
    assert "Tip: Give the film a shorter name" in done.stderr
    assert (library / "a.mp4.cinecut" / "scenes.jsonl").exists()


def test_a_film_that_is_named_twice_is_described_once(library: Path) -> None:
    done = command.run("describe", library / "a.mp4", library / "more" / ".." / "a.mp4", "-q")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--timeout", "0"], "--timeout 0: a number of seconds above 0."),
        (["--timeout", "nan"], "--timeout nan: a number of seconds above 0."),
        (["--load-timeout", "-5"], "--load-timeout -5: a number of seconds above 0."),
        (["--subtitles", "one.srt", "other.mp4"], "--subtitles names one file for 2 films."),
    ],
)
def test_options_out_of_range_are_refused(arguments: list[str], cause: str, library: Path) -> None:
    done = command.run("describe", library / "a.mp4", *arguments)

    assert done.returncode == 2
    assert cause in done.stderr


def test_a_film_of_which_every_frame_is_skipped_is_asked_about_again(library: Path) -> None:
    """Few frames are enough to see that the fault is not theirs."""
    arguments = ("describe", library / "a.mp4", "--interval", "1")
    failed = command.run(*arguments, CINECUT_MOCK_FAULT="bad-json")
    assert failed.returncode == 1
    assert re.search(r"All \d+ frames were skipped as malformed", failed.stderr)

    again = command.run(*arguments)
    assert again.returncode == 0, again.stderr
    run, scenes = command.read_journal(library / "a.mp4.cinecut")
    assert run["finished"]["skipped"] == 0
    assert all(scene["description"] for scene in scenes)


def test_export_goes_on_after_a_folder_that_is_none(library: Path, tmp_path: Path) -> None:
    assert command.run("describe", library / "a.mp4", "-q").returncode == 0
    folder, index = library / "a.mp4.cinecut", tmp_path / "index.html"

    done = command.run("export", tmp_path / "none", folder, "--format", "html", "--index", index)

    assert done.returncode == 3
    assert "Failed to use results 'none'." in done.stderr
    assert done.stdout.split() == [str(folder / "storyboard.html"), str(index)]
    assert command.run("export", folder, "--format", "csv", "--index", index).returncode == 2


def test_ctrl_c_is_heard_while_many_films_are_passed_over(tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for number in range(3000):
        (films / f"{number}.mp4").write_text("no film")
    with command.start("describe", "--recursive", films) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Failed to read film '0.mp4'.\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 130
    assert said.endswith("Interrupted. The same command again goes on from here.\n")
    assert said.count("Failed to read film") < 2999
    assert len(list(films.iterdir())) == 3000


def test_a_film_is_looked_at_when_its_turn_comes(library: Path) -> None:
    """The last one is not even there when the first one's scenes come."""
    late = library / "late.mp4"
    slow = ("--parallel", "1", "--interval", "1.5", "--json")
    with command.start(
        "describe", library / "a.mp4", late, *slow, CINECUT_MOCK_FRAME_S="0.2"
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        os.link(library / "a.mp4", late)
        rest, said = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 0, said
    assert first["film"] == "a.mp4"
    assert json.loads(rest.splitlines()[-1])["film"] == "late.mp4"


def test_what_is_wrong_with_a_film_is_told_at_its_turn_and_once(library: Path) -> None:
    for name in ("0.mp4", "b.mp4"):
        (library / name).write_text("no film")
    shutil.copy(BIKES, library / "c.mp4")

    done = command.run("describe", *(library / name for name in ("0.mp4", "a.mp4", "b.mp4")))

    assert done.returncode == 3
    order = [done.stderr.index(said) for said in ("'0.mp4'", "a.mp4: ", "'b.mp4'", "Outcome")]
    assert order == sorted(order)
    assert done.stderr.count("Failed to read film") == 2


def test_a_film_whose_results_have_no_place_fails_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "1.mkv", tmp_path / "2.mkv"
    os.link(make_film(first, still(1, 10)), second)
    (tmp_path / "1.mkv.cinecut").write_text("in the way")

    done = command.run("describe", first, second)

    assert done.returncode == 3, done.stderr
    assert "'1.mkv.cinecut'" in done.stderr
    assert command.read_journal(tmp_path / "2.mkv.cinecut")[0]["finished"]


def test_an_export_is_written_when_it_is_missing_or_older_than_the_journal(library: Path) -> None:
    wanted = ("describe", library / "a.mp4", "--format", "csv", "--format", "md")
    folder = library / "a.mp4.cinecut"
    assert command.run(*wanted).returncode == 0
    table, text = folder / "scenes.csv", folder / "scenes.md"
    for path in (table, text):
        path.write_text("as it was")

    assert "done already" in command.run(*wanted).stderr
    assert (table.read_text(), text.read_text()) == ("as it was", "as it was")

    journal = (folder / "scenes.jsonl").stat()
    os.utime(table, ns=(journal.st_mtime_ns - 1, journal.st_mtime_ns - 1))
    text.unlink()
    again = command.run(*wanted)
    assert "with scenes.csv, scenes.md" in again.stderr
    assert table.read_text() != "as it was"
    assert text.exists()


def test_a_film_that_has_changed_is_not_passed_over(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", still(1, 10))
    assert command.run("describe", film).returncode == 0
    size = film.stat().st_size
    make_film(film, still(2, 10))
    os.truncate(film, size)  # what makes it another film is in its bytes alone, and its time

    assert "a new run begins" in command.run("describe", film).stderr


def test_many_films_are_counted(tmp_path: Path) -> None:
    """Of those that are done already there is no line each: they would bury all else."""
    film = make_film(tmp_path / "film.mkv", still(1, 10))
    others = [tmp_path / f"{number:02}.mkv" for number in range(21)]
    for other in others:
        os.link(film, other)
    assert "films are done" not in command.run("describe", *others[:2]).stderr

    again = command.run("describe", *others)

    assert again.returncode == 0, again.stderr
    assert "21 of 21 films are done, 2 of them before." in again.stderr
    assert "done already" not in again.stderr
