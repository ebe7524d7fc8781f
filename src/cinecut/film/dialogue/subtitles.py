"""Finds the film's subtitles as players do: a file beside it, else a text track inside it."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pysubs2
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.subtitle import AssSubtitle

from cinecut.errors import SubtitlesError
from cinecut.film.dialogue.events import is_placed, is_spoken, line_of, read_dialogue
from cinecut.film.dialogue.languages import is_language, language_code
from cinecut.film.dialogue.said import Said
from cinecut.film.reading.lines import Line, Lines
from cinecut.film.reading.video import SubtitleTrack, Video

_SUFFIXES = (".srt", ".ass", ".ssa", ".vtt", ".sub")
_FORCED = {"forced", "foreign", "signs"}
_LABELS = {"sdh", "cc", "hi", "default", "full", "dialogue", "subs", "subtitles"} | _FORCED


def find_sidecars(film: Path, language: str | None) -> list[Path]:
    """Return the subtitle files that belong to `film`, the best first.

    They lie beside it and are called as the film is, in any letter case, with or without a
    language and labels: `movie.srt`, `movie.en.srt`, `Movie.pt-BR.forced.ass`.
    """
    wanted = language_code(language)
    ranked = []
    for path in _beside(film):
        tags = _tags(film, path)
        if tags is None or not path.is_file():
            continue
        languages = _languages(tags)
        other = wanted is not None and wanted not in languages
        forced = bool(_FORCED & set(tags))
        rank = (other, bool(languages), forced, len(tags), _SUFFIXES.index(path.suffix.lower()))
        ranked.append((rank, path))
    return [path for _, path in sorted(ranked)]


def _beside(film: Path) -> Iterator[Path]:
    """Yield the subtitle files beside `film` whose names begin as its name does, in order."""
    stem, folder = film.stem.casefold(), film.parent
    try:
        names = _subtitle_names(folder, folder.stat().st_mtime_ns)
    except OSError:
        return
    for folded, name in islice(names, bisect_left(names, (stem,)), None):
        if not folded.startswith(stem):
            return
        yield folder / name


@lru_cache(maxsize=16)
def _subtitle_names(folder: Path, _mtime_ns: int) -> list[tuple[str, str]]:
    """Return the names of the subtitle files in `folder`, in lower case and as they are, in order.

    A library may have all its films in one folder: one look serves them all, until the folder's
    time tells that a name came or went.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    return sorted((name.casefold(), name) for name in names if name.lower().endswith(_SUFFIXES))


def _languages(tags: Sequence[str]) -> set[str | None]:
    return {language_code(tag) for tag in tags if is_language(tag)}


def _tags(film: Path, path: Path) -> list[str] | None:
    """Return what stands between the film's name and the suffix, or None for a stranger."""
    stem = film.stem.casefold()
    if path.suffix.lower() not in _SUFFIXES or not path.stem.casefold().startswith(stem):
        return None
    rest = path.stem.casefold()[len(stem) :].replace("_", ".")
    tags = [tag for tag in rest.split(".") if tag]
    if rest and (not rest.startswith(".") or not all(map(_is_tag, tags))):
        return None
    return tags


def _is_tag(tag: str) -> bool:
    return tag in _LABELS or is_language(tag)


def choose_track(tracks: Sequence[SubtitleTrack], language: str | None) -> SubtitleTrack | None:
    """Return the text track to follow: the wanted language, not forced, flagged default."""
    wanted = language_code(language)

    def rank(track: SubtitleTrack) -> tuple[bool, bool, bool, bool, int]:
        is_other = wanted is not None and language_code(track.language) != wanted
        late = (track.is_commentary, track.is_forced, not track.is_default)
        return (is_other, *late, track.index)

    return min((track for track in tracks if track.is_text), key=rank, default=None)


class SubtitleSource:
    """Where the film's lines come from, and what there is to say about it."""

    def __init__(
        self, video: Video, *, use: bool = True, named: Path | None, language: str | None
    ) -> None:
        """Look for subtitles: `named` or beside the film or inside it, unless not to be used.

        Raises:
            SubtitlesError: `named` cannot be used.
        """
        self.lines = Lines()
        """Those whose middle is still to come."""
        self.said = Said()
        self.name: str | None = None
        self.notices: list[str] = []
        self._video = video
        self._broken = 0
        if not use:
            return
        if named is not None:
            self._read(named)
        else:
            self._choose(find_sidecars(video.path, language), language)

    def finish(self) -> list[str]:
        """Return the notices that are only known when the film has been read."""
        if not self._broken:
            return []
        return [f"{self._broken} broken subtitle events in {self.name} were passed over."]

    def _choose(self, sidecars: list[Path], language: str | None) -> None:
        """Take a file before a track, unless the track alone is known to be in the language."""
        wanted = language_code(language)
        track = choose_track(self._video.subtitle_tracks, language)
        if wanted is not None and track is not None and language_code(track.language) == wanted:
            sidecars = [path for path in sidecars if wanted in self._languages_of(path)]
        if not self._read_first(sidecars, wanted):
            self._follow(track, language)

    def _languages_of(self, sidecar: Path) -> set[str | None]:
        return _languages(_tags(self._video.path, sidecar) or [])

    def _read(self, path: Path) -> None:
        lines, self._broken = read_dialogue(path, self._video.frame_rate)
        self.name = path.name
        for line in lines:
            self._add(line)

    def _read_first(self, paths: list[Path], wanted: str | None) -> bool:
        for path in paths:
            try:
                self._read(path)
            except SubtitlesError as error:
                self.notices.append(f"The subtitles {path.name} were passed over: {error.reason}")
            else:
                languages = self._languages_of(path)
                if wanted is not None and languages and wanted not in languages:
                    self.notices.append(
                        f"There are no subtitles in '{wanted}'; the times of {path.name} are used."
                    )
                return True
        return False

    def _follow(self, track: SubtitleTrack | None, language: str | None) -> None:
        bitmaps = [track for track in self._video.subtitle_tracks if not track.is_text]
        if track is None:
            if bitmaps:
                self.notices.append(
                    f"The film's subtitles are pictures ({bitmaps[0].codec}), not text; "
                    "no keyframes come from them."
                )
            return
        wanted, spoken = language_code(language), language_code(track.language)
        self.name = f"track {track.index} ({track.codec}, {track.language or 'und'})"
        if wanted is not None and spoken != wanted:
            self.notices.append(
                f"There are no text subtitles in '{language}'; "
                f"the times of those in '{track.language or 'und'}' are used."
            )
        self._video.follow(track, self._take)

    def _take(self, packet: Packet[Stream]) -> None:
        """Take one packet of the followed track: FFmpeg turns every text codec into ASS."""
        try:
            texts = [rect.ass for rect in packet.decode() if isinstance(rect, AssSubtitle)]
        except FFmpegError:
            self._broken += 1
            return
        if packet.pts is None or not packet.duration:
            self._broken += bool(texts)
            return
        start = packet.pts * packet.time_base - self._video.start
        for text in texts:
            event = _event(text, start, packet.duration * packet.time_base)
            line = line_of(event) if is_spoken(event) and not is_placed(event) else None
            if line is not None:
                self._add(line)

    def _add(self, line: Line) -> None:
        self.lines.add(line)
        self.said.add(line)


def _event(text: bytes, start: Fraction, duration: Fraction) -> pysubs2.SSAEvent:
    """Return the event in FFmpeg's form: ReadOrder, Layer, Style, Name, margins, Effect, Text."""
    fields = text.decode("utf-8", errors="replace").split(",", 8)
    return pysubs2.SSAEvent(
        start=round(start * 1000),
        end=round((start + duration) * 1000),
        effect=fields[7] if len(fields) == 9 else "",
        text=fields[-1],
    )
