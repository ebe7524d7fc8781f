"""Turns a decoder's time stamps into seconds from the film's start, exact and ascending."""

from __future__ import annotations

from fractions import Fraction

from av.video.frame import VideoFrame

# Recordings that were cut and joined start counting anew; a smaller step back is a damaged
# time stamp. FFmpeg's own limit for a jump (`dts_delta_threshold`) is ten seconds too.
_JUMP_S = 10


class Clock:
    """The presentation times of one run through a film."""

    def __init__(
        self,
        time_base: Fraction,
        start: Fraction,
        frame_rate: Fraction | None,
        duration: Fraction | None,
        *,
        counts_decoding: bool,
    ) -> None:
        """Take the stream's `time_base` and what the header says, all in seconds.

        With `counts_decoding`, frames are timed by their turn in decoding and not by the time
        stamps made up for a file that has none.
        """
        self._time_base = time_base
        self._offset = -start
        self._frame_s = 1 / frame_rate if frame_rate else Fraction(1, 25)
        self._duration = duration
        self._counts_decoding = counts_decoding
        self._last: Fraction | None = None

    @property
    def end(self) -> Fraction:
        """Where the last frame's showing ends: the film's length as far as it was read."""
        return Fraction(0) if self._last is None else self._last + self._frame_s

    def time_of(self, frame: VideoFrame) -> Fraction | None:
        """Return when `frame` is shown, or None for a frame that is never shown.

        A frame without a time stamp follows its predecessor at the film's frame rate.
        """
        ticks = frame.dts if self._counts_decoding or frame.pts is None else frame.pts
        time = self.end if ticks is None else ticks * self._time_base + self._offset
        if self._last is not None and self._is_jump(time - self._last, time):
            self._offset += self.end - time
            time = self.end
        if time < 0 or (self._last is not None and time <= self._last):
            return None
        self._last = time
        if frame.duration:
            self._frame_s = frame.duration * self._time_base
        return time

    def _is_jump(self, step: Fraction, time: Fraction) -> bool:
        past_the_end = self._duration is not None and time > self._duration + _JUMP_S
        return step < -_JUMP_S or (step > _JUMP_S and past_the_end)
