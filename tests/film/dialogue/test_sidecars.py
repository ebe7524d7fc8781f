"""Whatever subtitles lie beside a film are used, or named: none is passed over in silence."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from films import make_film, still

from cinecut.film.dialogue.sidecars import label, look_beside

SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    film = make_film(tmp_path_factory.mktemp("source") / "film.mp4", still(1, 50))
    return film.read_bytes()


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SRT)


def usable(film: Path, language: str | None = None) -> list[str]:
    return [label(film, path) for path in look_beside(film, language).usable]


def others(film: Path) -> list[str]:
    return [label(film, path) for path in look_beside(film, None).others]


@pytest.mark.parametrize("of_film", ["NFC", "NFD"])
def test_a_name_is_the_same_in_every_unicode_form(tmp_path: Path, of_film: str) -> None:
    other = "NFD" if of_film == "NFC" else "NFC"
    film = tmp_path / unicodedata.normalize(of_film, "Amélie Ångström.mp4")
    name = unicodedata.normalize(other, "amélie ångström.fr.srt")
    lay(tmp_path, film.name, name)

    assert usable(film) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "Subs/film.srt",
        "subtitles/Film.en.srt",
        "Subs/film/2_English.srt",
        "Subs/film/Anything at all.srt",
        "Subs/2_English.srt",
        "Subs/en/film.srt",
        "film.1080p.English (SDH).srt",
        "film.WEB-DL.x264.pt-BR.srt",
        "film.eng.2.srt",
        "film [English].srt",
        "film.mp4.srt",
        "film_fr.smi",
    ],
)
def test_the_names_of_real_releases_are_the_films_own(tmp_path: Path, name: str) -> None:
    lay(tmp_path, "film.mp4", name)

    assert usable(tmp_path / "film.mp4") == [name]


def test_no_film_takes_what_belongs_to_another(tmp_path: Path) -> None:
    lay(tmp_path, "film.mkv", "film.2.mkv", "film 3.mkv")
    lay(tmp_path, "film2.srt", "film.2.srt", "film 3.en.srt", "film.4.srt", "film.en.srt")
    lay(tmp_path, "Subs/film.2.fr.srt", "Subs/film 3/2_English.srt", "Subs/English.srt")

    assert usable(tmp_path / "film.mkv") == ["film.en.srt"]
    assert usable(tmp_path / "film.2.mkv") == ["film.2.srt", "Subs/film.2.fr.srt"]
    assert usable(tmp_path / "film 3.mkv") == ["film 3.en.srt", "Subs/film 3/2_English.srt"]
    unknown = [name for film in tmp_path.glob("*.mkv") for name in others(film)]
    assert sorted(unknown) == ["Subs/English.srt", "film.4.srt", "film2.srt"]


def test_of_many_films_each_looks_into_few_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"film {number}" for number in range(80)]
    lay(tmp_path, *(f"{name}.mp4" for name in names), "Subs/what/film 7.srt", "Subs/fr/film 9.srt")
    lay(tmp_path, *(f"Subs/{name}/2_English.srt" for name in names))
    looks, look = list[object](), os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looks.append(folder) or look(folder))

    found = [look_beside(tmp_path / f"{name}.mp4", None) for name in names]

    assert sum(len(beside.usable) for beside in found) == 81
    assert sum(len(beside.others) for beside in found) == 1
    assert len(looks) < 100


def test_the_first_track_of_a_rip_comes_before_the_tenth(tmp_path: Path) -> None:
    names = ["2_English.srt", "10_English.srt", "3_French.srt", "4_English.forced.srt"]
    lay(tmp_path, "film.mp4", *(f"Subs/film/{name}" for name in names))
    film = tmp_path / "film.mp4"

    assert usable(film)[0] == "Subs/film/2_English.srt"
    assert usable(film, "fr")[0] == "Subs/film/3_French.srt"
    assert usable(film)[-1] == "Subs/film/4_English.forced.srt"
    lay(tmp_path, "film.srt")
    assert usable(film)[0] == "film.srt"


ODD = [
    *("film.srt", "FILM.EN.SRT", "film.eng.2.srt", "film.1080p.English (SDH).srt", "film2.srt"),
    *("film.cut.srt", "film 2.srt", "film.forced.ass", "film.fr.smi", "film.sup", "film.idx"),
    *("film.sub", "film.de.vtt", "film.es.ttml", "film.scc", "film.it.ssa", "other.srt"),
    *("film.mks", "film.hi.sami", "Subs/film.srt", "Subs/film/2_English.srt", "Subs/x/y.srt"),
]


def test_of_twenty_odd_files_each_is_used_or_named(
    tmp_path: Path, source: bytes, scan: Callable
) -> None:
    lay(tmp_path, *ODD)
    (tmp_path / "film.mp4").write_bytes(source)

    _, report = scan(tmp_path / "film.mp4")

    assert report.subtitle_source == "film.srt"
    (notice,) = report.notices
    named = notice.removeprefix("Subtitles beside it that were not used: ").split(". Name one")[0]
    pictures = {"film.sup", "film.idx", "film.sub"}
    assert sorted(named.split(", ")) == sorted(
        f"{name} (pictures)" if name in pictures else name for name in ODD[1:]
    )
    assert notice.endswith("Name one to use it: --subtitles FILE")
    _, report = scan(tmp_path / "film.mp4", use_subtitles=False)
    assert report.notices == []


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("film.sup", b"PG" + bytes(40), "PGS"),
        ("film.idx", b"# VobSub index file, v7\n", "VobSub"),
        ("film.sub", b"\0\0\1\xba" + bytes(40), "VobSub"),
    ],
)
def test_pictures_of_words_alone_get_a_notice(
    tmp_path: Path, source: bytes, scan: Callable, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(source)
    (tmp_path / name).write_bytes(content)

    _, report = scan(tmp_path / "film.mp4")

    assert report.notices == [
        f"The subtitles {name} were passed over: Its subtitles are pictures ({kind}), not text."
    ]
