"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import readme

ROOT = readme.README.parent


def test_help_texts_are_the_real_ones() -> None:
    """To mend it: scripts/fix."""
    text = readme.README.read_text()

    assert readme.with_real_help(text) == text
    assert text.count("<!-- help: ") >= 3


def test_files_and_scripts_that_it_names_exist() -> None:
    text = readme.README.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text)
    scripts = re.findall(r"\bscripts/[a-z_]+\b", text)

    assert links
    assert scripts
    for name in [*links, *scripts]:
        assert (ROOT / name).exists(), name


def test_each_exit_code_is_told() -> None:
    from cinecut.cli import boundary

    codes = {boundary.DONE, boundary.FAILED, boundary.USAGE, boundary.PARTLY_DONE}
    told = re.findall(r"^\| (\d+) \|", readme.README.read_text(), re.MULTILINE)

    assert {int(code) for code in told} == codes | {boundary.INTERRUPTED}


def test_options_have_the_variables_that_it_promises() -> None:
    """Every option of every command can be given as CINECUT_…."""
    blocks = re.findall(r"<!-- help: .+?<!-- end -->", Path(readme.README).read_text(), re.DOTALL)
    for block in blocks:
        options = re.split(r"\n  (?=-)", block.partition("Options:")[2])[1:]
        for option in options:
            name = option.split()[0]
            if name not in {"--version", "--install-completion", "--show-completion", "-h,"}:
                assert "env var: CINECUT_" in " ".join(option.split()), option


def test_the_scene_threshold_told_is_the_real_one() -> None:
    """The option's help writes it out: asking the film's side would slow --help down."""
    from cinecut.film.keyframes import SCENE_THRESHOLD

    assert f"[default: {SCENE_THRESHOLD}]" in " ".join(readme.README.read_text().split())


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "src/cinecut/ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+(?:\.py)?)?)`", text)

    assert len(named) > 30
    for name in named:
        places = (ROOT, ROOT / "src/cinecut", *(ROOT / "src/cinecut").iterdir())
        ways = (name, f"{name}.py")
        assert any((place / way).exists() for place in places for way in ways), name
