"""Finds the film's subtitles as players do: a file beside it, else a text track inside it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pysubs2
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.subtitle import AssSubtitle

from cinecut.errors import SubtitlesError
from cinecut.film.dialogue.events import is_placed, is_spoken, line_of, read_dialogue
from cinecut.film.dialogue.languages import language_code
from cinecut.film.dialogue.said import Said
from cinecut.film.dialogue.sidecars import is_picture, label, languages_of, look_beside
from cinecut.film.reading.lines import Line, Lines
from cinecut.film.reading.tracks import SubtitleTrack
from cinecut.film.reading.video import Video

_MOST_NAMED = 40


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
        self._named = named
        self._broken = 0
        if not use:
            return
        if named is not None:
            self._read(named)
        else:
            usable, others = look_beside(video.path, language)
            tried = self._choose(usable, language)
            self._tell_unused([path for path in (*usable, *others) if path not in tried])

    def finish(self) -> list[str]:
        """Return the notices that are only known when the film has been read."""
        if not self._broken:
            return []
        lines = "line" if self._broken == 1 else "lines"
        return [f"{self._broken} broken subtitle {lines} of {self.name} could not be read."]

    def _choose(self, sidecars: list[Path], language: str | None) -> list[Path]:
        """Take a file before a track, unless the track alone is known to be in the language.

        Return the files that were tried: of each it is told what became of it.
        """
        wanted = language_code(language)
        track = choose_track(self._video.subtitle_tracks, language)
        if wanted is not None and track is not None and language_code(track.language) == wanted:
            sidecars = [path for path in sidecars if wanted in self._languages_of(path)]
        tried = self._read_first(sidecars, wanted)
        if self.name is None:
            self._follow(track, language)
        return tried

    def _languages_of(self, sidecar: Path) -> set[str | None]:
        return languages_of(self._video.path, sidecar)

    def _label(self, path: Path) -> str:
        return label(self._video.path, path)

    def _tell_unused(self, paths: Sequence[Path]) -> None:
        """Name the subtitle files that lie beside the film for nothing."""
        if not paths:
            return
        named = [
            f"{self._label(path)} (pictures)" if is_picture(path) else self._label(path)
            for path in paths[:_MOST_NAMED]
        ]
        more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
        self.notices.append(
            f"Subtitles beside it that were not used: {', '.join(named)}{more}. "
            "Name one to use it: --subtitles FILE"
        )

    def _read(self, path: Path) -> None:
        lines, self._broken = read_dialogue(path, self._video.frame_rate)
        self.name = path.name if path == self._named else self._label(path)
        for line in lines:
            self._add(line)

    def _read_first(self, paths: list[Path], wanted: str | None) -> list[Path]:
        """Read the first of `paths` that can be read, and return it and those before it."""
        for number, path in enumerate(paths, 1):
            name = self._label(path)
            try:
                self._read(path)
            except SubtitlesError as error:
                self.notices.append(f"The subtitles {name} were passed over: {error.reason}")
                continue
            languages = self._languages_of(path)
            if wanted is not None and languages and wanted not in languages:
                self.notices.append(
                    f"There are no subtitles in '{wanted}'; the times of {name} are used."
                )
            return paths[:number]
        return paths

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
