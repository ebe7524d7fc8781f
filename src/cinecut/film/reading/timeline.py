"""Makes one time of the clocks in a joined recording, packet by packet, before it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from av.packet import Packet
from av.stream import Stream

# FFmpeg takes a larger step for a jump too (`dts_delta_threshold`): a break in the broadcast, an
# advertisement cut out, the 33 bits of the clock run over, or another recording joined on.
_LONGEST_STEP_S: Final = 10


@dataclass(frozen=True)
class Part:
    """The recording that a packet belongs to, and where in the file it lies."""

    position_bytes: int
    shift_ticks: int
    """What is added to its time stamps."""


class Timeline:
    """Takes the video's packets as they lie in the file, and yields them with continuous times.

    A recording joined on begins where the one before ends, as in a player. A single packet with a
    wild time stamp makes no joint: the next one tells which of the two it is.
    """

    def __init__(self, time_base: Fraction, frame_ticks: int) -> None:
        """Take seconds per tick, and the ticks of a frame where a packet does not tell."""
        self.joints = 0
        """How often another recording, or another clock, has begun."""
        self._longest_step = int(_LONGEST_STEP_S / time_base)
        self._frame_ticks = frame_ticks
        self._shift = 0
        self._last: int | None = None
        """Decoding time of the last packet, as it stands in the file."""
        self._end: int | None = None
        """Where the showing of all packets so far ends, on the continuous time."""
        self._suspect: Packet[Stream] | None = None
        self._place: int | None = None
        self._stays = False

    def stay_in(self, part: Part | None) -> None:
        """Begin anew in the middle of the file, and take this part of it for all there is.

        Where packets were sought their first stamps may be guesses: no joint is told from them.
        """
        self._shift = part.shift_ticks if part else 0
        self._last = self._end = self._suspect = None
        self._stays = True

    def part_of(self, packet: Packet[Stream]) -> Part | None:
        """Return where `packet` lies, or the nearest packet before it whose place is known."""
        if packet.pos is not None:
            self._place = packet.pos
        return None if self._place is None else Part(self._place, self._shift)

    def shift(self, packet: Packet[Stream]) -> None:
        """Move a packet of another stream, such as subtitles, to the continuous time."""
        if packet.pts is not None:
            packet.pts += self._shift

    def add(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take the next packet and yield those whose time is sure, none or up to two."""
        if self._stays:
            yield self._moved(packet)
            return
        stamp = _stamp(packet)
        suspect, self._suspect = self._suspect, None
        if suspect is not None:
            if not self._follows(self._last, stamp) and self._follows(_stamp(suspect), stamp):
                self._join(suspect)
            yield self._moved(suspect)
        if stamp is not None and self._last is not None and not self._follows(self._last, stamp):
            self._suspect = packet
            return
        self._last = stamp if stamp is not None else self._last
        yield self._moved(packet)

    def finish(self) -> Iterator[Packet[Stream]]:
        """Yield what was still waiting for the next packet."""
        if self._suspect is not None:
            yield self._moved(self._suspect)
            self._suspect = None

    def _follows(self, before: int | None, stamp: int | None) -> bool:
        if before is None or stamp is None:
            return False
        return 0 <= stamp - before <= self._longest_step

    def _join(self, packet: Packet[Stream]) -> None:
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is None or self._end is None:
            return
        self._shift = self._end - shown
        self._last = _stamp(packet)
        self.joints += 1

    def _moved(self, packet: Packet[Stream]) -> Packet[Stream]:
        packet.dts = packet.dts + self._shift if packet.dts is not None else None
        packet.pts = packet.pts + self._shift if packet.pts is not None else None
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is not None:
            end = shown + (packet.duration or self._frame_ticks)
            self._end = end if self._end is None else max(self._end, end)
        return packet


def _stamp(packet: Packet[Stream]) -> int | None:
    return packet.dts if packet.dts is not None else packet.pts
