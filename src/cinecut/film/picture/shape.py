"""Works out how a frame has to be turned and stretched to look as a player shows it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

from cinecut.film.picture.filters import Filters

# Sample aspect ratios beyond these are damage, not film.
ASPECT_MIN, ASPECT_MAX = Fraction(1, 8), Fraction(8)


@dataclass(frozen=True)
class Shape:
    """The size of a coded frame and the way to the picture on the screen."""

    width: int
    height: int
    sample_aspect: Fraction
    """Width of a pixel divided by its height, before turning."""
    turn: tuple[int, int, int, int] = (1, 0, 0, 1)
    """Signs of the display matrix: x to x, x to y, y to x, y to y."""

    @classmethod
    def of(cls, frame: VideoFrame, sample_aspect: Fraction) -> Shape:
        """Return the shape of `frame`, with the turn that its side data asks for.

        For one frame of a film only: in PyAV a frame whose side data was looked at is part of
        a reference cycle, and lives until the garbage collector comes by.
        """
        if not ASPECT_MIN <= sample_aspect <= ASPECT_MAX:
            sample_aspect = Fraction(1)
        return cls(frame.width, frame.height, sample_aspect, _turn(frame))

    @property
    def is_sideways(self) -> bool:
        """Whether width and height change places on the screen."""
        return not self.turn[0]

    @property
    def display(self) -> tuple[int, int]:
        """Width and height on the screen, in square pixels: the shorter measure is stretched."""
        width = max(1, round(self.width * max(self.sample_aspect, Fraction(1))))
        height = max(1, round(self.height / min(self.sample_aspect, Fraction(1))))
        return (height, width) if self.is_sideways else (width, height)

    def fitted(self, short_side_max_px: int) -> tuple[int, int]:
        """Return the size, before turning, whose short side is at most `short_side_max_px`."""
        width, height = self.display[::-1] if self.is_sideways else self.display
        scale = min(Fraction(1), Fraction(short_side_max_px, min(width, height)))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def upright_filters(self) -> Filters:
        """Return the filters that turn the picture upright."""
        return {
            (1, 0, 0, 1): (),
            (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
            (-1, 0, 0, 1): (("hflip", ""),),
            (1, 0, 0, -1): (("vflip", ""),),
            (0, 1, -1, 0): (("transpose", "clock"),),
            (0, -1, 1, 0): (("transpose", "cclock"),),
            (0, 1, 1, 0): (("transpose", "cclock_flip"),),
            (0, -1, -1, 0): (("transpose", "clock_flip"),),
        }[self.turn]


def _turn(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return the nearest quarter turn or mirroring to the frame's display matrix.

    The matrix is `AV_FRAME_DATA_DISPLAYMATRIX` of libavutil/display.h: nine 32-bit integers,
    row by row, that map (x, y, 1) on the left.
    """
    data = frame.side_data.get(Type.DISPLAYMATRIX.name)
    matrix = bytes(data) if isinstance(data, SideData) else b""
    if len(matrix) < 36:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack("=9i", matrix[:36])[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0
