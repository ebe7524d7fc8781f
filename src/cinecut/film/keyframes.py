"""Scans a film for its keyframes: film in, `KeyframeRecord`s out, while it is decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import chain, tee
from pathlib import Path
from typing import TypeAlias

from av.error import FFmpegError
from av.video.frame import VideoFrame

from cinecut.errors import FilmError
from cinecut.film.dialogue.said import share_out
from cinecut.film.dialogue.subtitles import SubtitleSource
from cinecut.film.discs import remark_on
from cinecut.film.moments.budget import Budget
from cinecut.film.moments.choose import choose
from cinecut.film.moments.glance import Glancer
from cinecut.film.moments.picks import Pick, Picker
from cinecut.film.moments.shots import KeyPictureShots, ShotDetector
from cinecut.film.picture.aspect import AspectReader
from cinecut.film.picture.frames_dir import FramesDir
from cinecut.film.picture.jpeg import PictureMaker
from cinecut.film.picture.shape import Shape
from cinecut.film.reading.dolby_vision import remark_on_colours
from cinecut.film.reading.hardware import Hardware
from cinecut.film.reading.info import FilmInfo, describe_film
from cinecut.film.reading.matroska import remark_on_order
from cinecut.film.reading.opening import no_film
from cinecut.film.reading.video import Video
from cinecut.film.reading.walk import Shown, Walk, walk_frames, walk_key_pictures
from cinecut.film.settings import MOST_MOMENTS, SCENE_THRESHOLD, KeyframeSettings, ScanReport
from cinecut.models import DialogueLine, KeyframeRecord, Moment

__all__ = [
    "MOST_MOMENTS",
    "SCENE_THRESHOLD",
    "FilmInfo",
    "Found",
    "KeyframeScan",
    "KeyframeSettings",
    "ScanReport",
]

Found: TypeAlias = tuple[KeyframeRecord, tuple[DialogueLine, ...], tuple[Moment, ...]]
"""A keyframe, what is said while it stands for the film, and what moves."""

# Frames held for the running shot: this much memory, whatever their size.
_HELD_BYTES = 48 * 2**20
_HELD_MIN, _HELD_MAX = 4, 12
# A reading of the pixels' shape is this exact.
_ASPECT_STEP = Fraction(1, 1000)
# A film that ends this much before its header says so was cut off.
_EARLY_END_S = 2


class KeyframeScan:
    """One pass over a film: a context manager, and an iterator over its keyframes.

    Opening it reads the film's header, its first frame and the subtitles. The records come
    out in film order while the film is being decoded; whoever takes them slowly holds the
    decoder back. Nothing is written before the first record.
    """

    info: FilmInfo
    """Facts about the film."""
    report: ScanReport
    """How far the scan is; live, and readable from any thread."""

    def __init__(
        self,
        film: Path,
        frames_dir: Path,
        settings: KeyframeSettings,
        *,
        hardware: Hardware | None = None,
        holds_pictures: bool = False,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open `film`; the pictures will lie in `frames_dir`, and the same whatever decodes them.

        With `holds_pictures` they stay in memory until `write_held` is called, in any thread.

        Raises:
            FilmError: The film cannot be read.
            SubtitlesError: The subtitle file that `settings` names cannot be used.
        """
        self.report = ScanReport(approximate=settings.scan == "iframes")
        self._settings = settings
        self._interval = Fraction(settings.interval_s).limit_denominator(1000)
        self._frames_dir = FramesDir(frames_dir, holds=holds_pictures)
        self._is_cancelled = is_cancelled
        with ExitStack() as stack:
            video = Video(film, hardware=hardware, is_cancelled=is_cancelled)
            self._video = stack.enter_context(video)
            self._subtitles = SubtitleSource(
                self._video,
                use=settings.use_subtitles,
                named=settings.subtitles,
                language=settings.subtitle_language,
            )
            self._walk = self._start_walk(stack)
            self._first = next(self._walk, None)
            if self._first is None:
                if is_cancelled():
                    raise FilmError(film, "The scan was cancelled before its first frame.")
                raise no_film(film, "Not one frame of its video can be decoded.")
            shape = Shape.of(self._first.frame, self._video.sample_aspect)
            self.info = describe_film(self._video, self._first.frame, shape)
            self._closing = stack.pop_all()
        self.report.subtitle_source = self._subtitles.name
        remarks = (
            remark_on(film),
            remark_on_order(film, self._video.duration),
            remark_on_colours(self._video.stream),
        )
        self.report.notices += filter(None, remarks)
        self.report.notices += self._subtitles.notices
        self._shape = shape
        self._pictures = PictureMaker(shape)
        self._aspect_of = AspectReader()

    def __enter__(self) -> KeyframeScan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the decoder and the file; closing twice is fine."""
        self._walk.close()
        self._closing.close()

    def __iter__(self) -> Iterator[KeyframeRecord]:
        """Yield the keyframes in film order, decoding as they are asked for.

        Raises:
            OutputError: A picture cannot be written.
        """
        return (record for record, _ in self._found())

    def write_held(self) -> None:
        """Write the pictures that were held, and hold no more.

        Raises:
            OutputError: A picture cannot be written.
        """
        self._frames_dir.write_held()

    def in_full(self) -> Iterator[Found]:
        """Yield the keyframes, what is said while each stands for the film, and what moves.

        With subtitles each comes when the next one is found, for half of the way to it is where it
        ends.

        Raises:
            OutputError: A picture cannot be written.
        """
        if self._subtitles.name is None:
            yield from ((record, (), moments) for record, moments in self._found())
            return
        ahead, found = tee(self._found())
        said = share_out(
            (record for record, _ in ahead),
            self._subtitles.said,
            lambda: None if self._is_cancelled() else self._end,
        )
        for (record, dialogue), (_, moments) in zip(said, found, strict=False):
            yield record, dialogue, moments

    def _found(self) -> Iterator[tuple[KeyframeRecord, tuple[Moment, ...]]]:
        """Write the pictures of the keyframes and yield their records and other moments."""
        for pick in self._within_budget(self._picks()):
            with self._encoding():
                path = self._frames_dir.write(pick.time, pick.jpeg)
            self.report.found += 1
            record = KeyframeRecord(round(float(pick.time), 6), str(path), pick.source)
            yield record, pick.moments

    def _start_walk(self, stack: ExitStack) -> Walk:
        if self._settings.scan == "full":
            return walk_frames(self._video, self._subtitles.lines)
        second = Video(self._video.path, is_cancelled=self._is_cancelled)
        stack.enter_context(second)
        return walk_key_pictures(self._video, self._subtitles.lines, second, self._interval)

    def _picks(self) -> Iterator[Pick]:
        """Walk through the film once and yield what is chosen."""
        if self._first is None:  # a second iteration: the film is at its end
            return
        first, self._first = self._first, None
        kind = ShotDetector if self._settings.scan == "full" else KeyPictureShots
        picker = Picker(
            self._jpeg,
            interval=self._interval,
            keep_duplicates=self._settings.keep_duplicates,
            candidates_max=_held_at_most(first.frame),
            moments=self._settings.moments,
        )
        shots = kind(self._settings.scene_threshold)
        glance_at = Glancer(self._settings.scene_threshold)
        walk = self._watched(chain([first], self._walk))
        for pick in choose(walk, self._subtitles.lines, glance_at, shots, picker):
            self.report.merged = picker.merged
            yield pick
        if self._is_cancelled():
            return
        yield from picker.finish(self._end)
        self.report.merged = picker.merged
        self._finish_report()

    @property
    def _end(self) -> Fraction:
        """Where the film ends in seconds; a full scan has decoded what it counts."""
        return self._video.end if self.report.approximate else self._video.clock.end

    def _watched(self, walk: Iterable[Shown]) -> Iterator[Shown]:
        """Pass the walk on, telling the report how far it is, until the scan is cancelled."""
        for shown in walk:
            if self._is_cancelled():
                return
            self.report.position_s = float(shown.time)
            self.report.damaged = self._video.damage.count
            yield shown

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        began_s = time.monotonic()
        yield
        self.report.encoding_s += time.monotonic() - began_s

    def _jpeg(self, frame: VideoFrame) -> bytes | None:
        try:
            self._follow_shape(frame)
            with self._encoding():
                return self._pictures.jpeg(frame)
        except FFmpegError:
            self._video.damage.count += 1
            return None

    def _follow_shape(self, frame: VideoFrame) -> None:
        """Take the shape of `frame`'s pixels from itself, where no container tells the film's."""
        if not self._video.may_have_joints:
            return
        aspect = self._aspect_of(frame)
        if abs(aspect - self._shape.sample_aspect) > _ASPECT_STEP:
            self._shape = replace(self._shape, sample_aspect=aspect)
            self._pictures = PictureMaker(self._shape)

    def _within_budget(self, picks: Iterator[Pick]) -> Iterator[Pick]:
        if self._settings.max_frames is None:
            yield from picks
            return
        budget = Budget(self._settings.max_frames, self._video.measured_duration())
        for pick in picks:
            yield from budget.offer(pick)
        if not self._is_cancelled():
            yield from budget.finish()

    def _finish_report(self) -> None:
        end, told = self._end, self._video.duration
        self.report.position_s = float(end)
        self.report.notices += self._subtitles.finish()
        self.report.notices += filter(None, [self._video.notice])
        unreadable, early, joints = self._video.damage.count, "", self._video.timeline.joints
        if joints:
            self.info = replace(self.info, duration_s=float(end))
            times = "once" if joints == 1 else f"{joints} times"
            self.report.notices.append(
                f"The film is a joined recording: its clock jumps {times}. "
                "Times run on over each joint, as a player shows them."
            )
        elif told is not None and end < told - _EARLY_END_S:
            early = f"it ends at {float(end):.1f} s, and its header says {float(told):.1f} s"
        self.report.damaged = unreadable + bool(early)
        if self.report.damaged:
            count = f"unreadable packets and frames: {unreadable}" if unreadable else ""
            what = "; ".join(filter(None, (count, early)))
            self.report.notices.append(f"The film is damaged: {what}.")
        if self.report.approximate:
            self.report.notices.append(
                "The scan was approximate: shots were taken from the film's key pictures alone."
            )


def _held_at_most(frame: VideoFrame) -> int:
    size = sum(int(plane.buffer_size) for plane in frame.planes)
    return min(_HELD_MAX, max(_HELD_MIN, _HELD_BYTES // size))
