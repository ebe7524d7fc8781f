"""Waits for a slow disk, and tells one that does not answer from a film that is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from av.container import InputContainer
from av.error import ExitError
from av.packet import Packet
from av.stream import Stream

from cinecut.errors import FilmError

STALL_S: Final = 60.0
"""How long one read may take: a disk that has to spin up needs ten to twenty seconds, an array or a
drive in the cloud half a minute.

Each read, and not the first alone: while a slow model describes, the disk falls asleep again. It
also bounds how long FFmpeg may look for a packet in what makes no sense.
"""


def packets_of(
    film: Path, container: InputContainer, streams: Sequence[Stream]
) -> Iterator[Packet[Stream]]:
    """Yield the packets of `streams` as they lie in the film.

    Raises:
        FilmError: A read took longer than `STALL_S`; FFmpeg then gives out nothing more.
        av.error.FFmpegError: What was read makes no packet.
    """
    try:
        for packet in container.demux(*streams):
            # PyAV ends with empty packets; to a decoder an empty packet is the end.
            if packet.size:
                yield packet
    except ExitError as error:
        raise stalled(film) from error


def stalled(film: Path) -> FilmError:
    """Return the error for a film of which a read took too long."""
    return FilmError(
        film,
        f"Reading it took longer than {STALL_S:.0f} s, or what is in it makes no film so far.",
        check="That the drive it lies on answers: copying the file shows it.",
        tip="Run the same command again: it goes on where it stopped.",
    )
