"""The films below the folders that were named: asked for by name, read, never written.

Names are looked up among what was found there, and no path is put together from them, so that
nothing outside can be asked for.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cinecut.errors import CineCutError, UsageError
from cinecut.files import open_file
from cinecut.results.page.index_page import STORYBOARD_NAME
from cinecut.results.pictures import with_own_pictures
from cinecut.results.presentation import duration_s, film_name, picture, timecode
from cinecut.results.scenes import (
    RESULTS_SUFFIX,
    Results,
    Run,
    Scene,
    read_first_line,
    read_results,
    scene_to_dict,
)
from cinecut.results.summary import chapter_at, summary_of
from cinecut.search import Hit, Library
from cinecut.search.places import Found, checked_place, find_journals, look_at
from cinecut.text import printable

MOST_HITS: Final = 100
_FILMS_KEPT: Final = 8
_LARGEST_PICTURE: Final = 16 << 20


class Shelf:
    """Films that were described; what is read of them is kept as long as it does not change."""

    def __init__(self, places: Sequence[Path], index: Path | None = None) -> None:
        """Take the folders, and the file of the search's index.

        Raises:
            UsageError: A folder is not there.
        """
        self._places = [checked_place(place) for place in places]
        self._index = index
        self._read: OrderedDict[Path, tuple[Found, Results]] = OrderedDict()

    def films(self) -> list[dict[str, Any]]:
        """Return what each film is called here, and what the first line of its journal tells.

        No more is read: a shelf may have a thousand films.
        """
        return [_told(name, folder) for name, folder in self._folders().items()]

    def search(self, query: str, limit: int, film: str | None) -> list[dict[str, Any]]:
        """Return the scenes and chapters that fit, the best first.

        Raises:
            UsageError: The query has no word, `limit` is not 1 to `MOST_HITS`, or there is no such
                film.
            SearchIndexError: The index cannot be written or read.
        """
        if not 1 <= limit <= MOST_HITS:
            raise UsageError(f"A limit of {limit}: 1 to {MOST_HITS}.")
        folders = self._folders()
        places = [self._folder(film)] if film else self._places
        with Library(*places, index=self._index) as library:
            hits = library.search(query, limit)
        names = {folder: name for name, folder in folders.items()}
        return [self._told_hit(hit, names) for hit in hits]

    def scene(self, film: str, number: int) -> tuple[dict[str, Any], bytes | None]:
        """Return a scene and its picture as JPEG; None where the picture is gone.

        Raises:
            UsageError: There is no such film or scene.
        """
        folder = self._folder(film)
        results = self._results(folder)
        found = next((scene for scene in results.scenes if scene.index == number), None)
        if found is None:
            numbers = f"0 to {results.scenes[-1].index}" if results.scenes else "none yet"
            raise UsageError(f"There is no scene {number}; scenes: {numbers}.")
        return _shown(film, results, found), _picture(folder, found)

    def scene_at(self, film: str, seconds: float) -> tuple[dict[str, Any], bytes | None]:
        """Return the scene that stands for a moment of the film, the nearest, and its picture.

        Raises:
            UsageError: There is no such film or moment, or no scene yet.
        """
        folder = self._folder(film)
        results = self._results(folder)
        length_s = duration_s(results)
        if not 0 <= seconds <= (length_s or float("inf")):
            raise UsageError(f"{seconds:g} s lies outside the film, which lasts {length_s:g} s.")
        if not results.scenes:
            raise UsageError("The film has no scene yet.")
        nearest = min(results.scenes, key=lambda scene: abs(scene.keyframe.timestamp_s - seconds))
        return _shown(film, results, nearest), _picture(folder, nearest)

    def summary(self, film: str) -> dict[str, Any] | None:
        """Return synopsis, chapters and elements as `scenes.json` has them; None without any.

        Raises:
            UsageError: There is no such film.
        """
        summary = summary_of(self._results(self._folder(film)))
        return summary.model_dump() if summary else None

    def storyboards(self) -> dict[str, Path]:
        """Return the storyboards that there are, by their films' names."""
        pages = {name: folder / STORYBOARD_NAME for name, folder in self._folders().items()}
        return {
            name: page for name, page in pages.items() if page.is_file() and not page.is_symlink()
        }

    def storyboard(self, film: str) -> str:
        """Return a film's storyboard.

        Raises:
            UsageError: There is no such film, or it has no storyboard.
        """
        page = self.storyboards().get(film)
        if page is None:
            raise UsageError(f"{printable(film)} has no storyboard.")
        with open_file(page, follow_links=False) as file:
            return file.read().decode("utf-8", errors="replace")

    def _folders(self) -> dict[str, Path]:
        """Return the results folders by their films' names; those called alike by their paths."""
        found = [journal.folder for journal in find_journals(self._places)]
        names = {folder: folder.name.removesuffix(RESULTS_SUFFIX) for folder in found}
        counts = Counter(names.values())
        return {
            (printable(name) if counts[name] == 1 else printable(str(folder))): folder
            for folder, name in sorted(names.items())
        }

    def _folder(self, film: str) -> Path:
        folder = self._folders().get(film)
        if folder is None:
            raise UsageError(
                f"There is no film {printable(film)} here: list_films tells their names."
            )
        return folder

    def _results(self, folder: Path) -> Results:
        found, kept = look_at(folder), self._read.pop(folder, None)
        if kept is None or kept[0] != found:
            results = with_own_pictures(folder, read_results(folder))
            kept = (found or Found(folder, 0, 0), results)
        self._read[folder] = kept
        while len(self._read) > _FILMS_KEPT:
            self._read.popitem(last=False)
        return kept[1]

    def _told_hit(self, hit: Hit, names: Mapping[Path, str]) -> dict[str, Any]:
        return {
            "film": names.get(hit.folder, hit.film),
            "scene": self._number_at(hit.folder, hit.timestamp_s),
            "timestamp_s": hit.timestamp_s,
            "timecode": timecode(hit.timestamp_s),
            "chapter": hit.chapter,
            "description": hit.description and dict(hit.description),
            "dialogue": [line.text for line in hit.dialogue],
        }

    def _number_at(self, folder: Path, at_s: float) -> int | None:
        scenes = self._results(folder).scenes
        return next((scene.index for scene in scenes if scene.keyframe.timestamp_s == at_s), None)


def _told(name: str, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"film": name, "results": str(folder)}
    try:
        run = read_first_line(folder)
    except CineCutError as error:
        return told | {"error": str(error)}
    if not isinstance(run, Run):
        return told | {"error": "Its journal does not begin with a run."}
    return told | {
        "file": film_name(run),
        "duration_s": duration_s(Results(run, [])),
        "is_complete": run.finished is not None,
        "scenes": (run.finished or {}).get("scenes"),
    }


def _shown(film: str, results: Results, scene: Scene) -> dict[str, Any]:
    at_s = scene.keyframe.timestamp_s
    summary = summary_of(results)
    chapter = chapter_at(summary, at_s)
    return {
        "film": film,
        "scene": scene.index,
        "timestamp_s": at_s,
        "timecode": timecode(at_s),
        "chapter": summary.chapters[chapter - 1].title if summary and chapter else None,
        **{
            name: value
            for name, value in scene_to_dict(scene).items()
            if name in {"description", "skipped", "dialogue", "same_as", "part"}
        },
    }


def _picture(folder: Path, scene: Scene) -> bytes | None:
    name = picture(scene)
    if name is None:
        return None
    try:
        with open_file(folder / name, follow_links=False) as file:
            content = file.read(_LARGEST_PICTURE + 1)
    except OSError:
        return None
    return content if len(content) <= _LARGEST_PICTURE else None
