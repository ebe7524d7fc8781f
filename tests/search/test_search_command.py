"""`cinecut search`, as a user's shell runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import PATIENCE_S, read_journal, run, start
from films import make_film, still
from shelf import write_film

STREET = "A red car stops under a lamp | tense | Two men get out | a street at night"
KITCHEN = "A woman cuts bread | homely | She hums | a kitchen in the morning"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shelf = tmp_path / "films"
    write_film(shelf, "city.mkv", [KITCHEN, STREET])
    (shelf / "city.mkv").write_bytes(b"a film")
    return shelf


def test_hits_come_on_stdout_and_nothing_else(shelf: Path) -> None:
    done = run("search", "red cars", cwd=shelf)

    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert first.split() == ["1", "city.mkv", "00:00:01.000"]
    assert second.strip() == "visual_content: A red car stops under a lamp"


def test_json_lines_tell_all_that_is_promised(shelf: Path) -> None:
    done = run("search", "car", shelf, "--json")

    [hit] = map(json.loads, done.stdout.splitlines())
    assert hit.pop("score") > 0
    assert hit == {
        "film": "city.mkv",
        "results": str(shelf / "city.mkv.cinecut"),
        "timestamp_s": 1.0,
        "frame_path": None,
        "description": {
            "visual_content": "A red car stops under a lamp",
            "mood": "tense",
            "action": "Two men get out",
            "setting": "a street at night",
        },
        "dialogue": [],
        "chapter": None,
    }


def test_nothing_found_is_no_failure(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, sentence in ((shelf, 'No scene of 1 film fits: "wombat"'), ("empty", "No film was")):
        done = run("search", '"wombat"', place, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith(sentence)
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["***"], ["car", "nowhere"], ["car", "--limit", "0"], ["car", "--play", "7"]]
)
def test_what_cannot_be_meant_is_told(shelf: Path, arguments: list[str]) -> None:
    done = run("search", *arguments, cwd=shelf)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_player_is_started_at_the_hit(shelf: Path, tmp_path: Path) -> None:
    player = tmp_path / "bin" / "mpv"
    player.parent.mkdir()
    player.write_text('#!/bin/sh\necho "$@" > "$0.played"\n')
    player.chmod(0o755)
    film = shelf / "city.mkv"

    printed = run("search", "car", shelf, "--play", "0", PATH=str(player.parent))
    assert printed.stdout.strip() == f"mpv --start=1.000 {film}"

    done = run("search", "car", shelf, "--play", "1", PATH=f"{player.parent}:/usr/bin:/bin")
    assert done.returncode == 0
    assert (tmp_path / "bin" / "mpv.played").read_text().split() == ["--start=1.000", str(film)]

    film.unlink()
    done = run("search", "car", shelf, "--play", "1")
    assert done.returncode == 1
    assert "does not lie beside" in done.stderr


def test_hostile_text_obeys_nobody(tmp_path: Path) -> None:
    write_film(tmp_path, "[red]x[/red]", ["A car \x1b[2J and [bold]more[/bold] \u202egnp.exe"])

    done = run("search", "car", tmp_path)

    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "[bold]more[/bold]" in done.stdout
    assert "[red]x[/red]" in done.stdout


def test_hits_are_opened_as_a_page(shelf: Path, tmp_path: Path) -> None:
    opener, passing = tmp_path / "bin" / "xdg-open", tmp_path / "passing"
    opener.parent.mkdir()
    passing.mkdir()
    opener.write_text('#!/bin/sh\necho "talk of a browser"; echo "$@" > "$0.opened"\n')
    opener.chmod(0o755)
    tools = {"PATH": f"{opener.parent}:/usr/bin:/bin", "TMPDIR": str(passing)}

    done = run("search", "car", shelf, "--open", "--json", **tools)
    [path] = passing.iterdir()
    assert done.returncode == 0
    assert done.stderr.endswith(f"The page: {path}\n")
    assert len(list(map(json.loads, done.stdout.splitlines()))) == 1
    assert Path(f"{opener}.opened").read_text() == f"{path}\n"
    path.unlink()

    done = run("search", '"wombat"', shelf, "--open", **tools)
    assert (done.returncode, list(passing.iterdir())) == (0, [])

    for program in ("#!/bin/sh\nexit 3\n", None):
        opener.write_text(program) if program else opener.unlink()
        done = run("search", "car", shelf, "--open", PATH=str(opener.parent), TMPDIR=str(passing))
        assert done.returncode == 1
        assert "A red car stops" in done.stdout
        assert f"Open it yourself: {passing}" in done.stderr


@pytest.mark.usefixtures("with_mock")
def test_two_searches_beside_a_describe_find_what_is_written(tmp_path: Path) -> None:
    """A real one: they are never in its way, and the last search finds all of it."""
    film = make_film(tmp_path / "a.mkv", [shot for seed in range(8) for shot in still(seed, 25)])
    describing = start("describe", film, CINECUT_MOCK_FRAME_S="0.3")
    counts: list[int] = []
    while describing.poll() is None:
        both = [start("search", "mock", tmp_path, "--json", "--limit", "99") for _ in range(2)]
        for searcher in both:
            hits, _ = searcher.communicate(timeout=PATIENCE_S)
            assert searcher.returncode == 0
            counts.append(len(list(map(json.loads, hits.splitlines()))))
    _, complaint = describing.communicate()

    assert describing.returncode == 0, complaint
    _, scenes = read_journal(tmp_path / "a.mkv.cinecut")
    assert len(scenes) >= 8
    assert all(count <= len(scenes) for count in counts)
    last = run("search", "mock", tmp_path, "--json", "--limit", "99")
    assert len(last.stdout.splitlines()) == len(scenes)
