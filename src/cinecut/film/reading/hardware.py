"""Decodes on hardware, and in software from where that fails; no picture is lost on the way.

What belongs to one kind of hardware, and so to one system, stands here. Each picture is brought
back to main memory in an ordinary pixel format: nothing behind the decoder knows of hardware.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final, Literal, TypeAlias

import av
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from cinecut.errors import FilmError
from cinecut.film.reading.opening import open_container, pick_stream

Hardware = Literal["cuda", "videotoolbox", "vaapi"]
"""NVIDIA's, Apple's, and that of Intel and AMD under Linux, as FFmpeg calls them."""

HARDWARE: Final[tuple[Hardware, ...]] = ("cuda", "videotoolbox", "vaapi")

# Whatever has a GPU's decoder has it for this.
_PROBED = "h264"
# A film of key pictures that lie further apart is left to the software while that is possible.
_HELD_MOST_BYTES = 128 * 2**20

_Packets: TypeAlias = "Iterator[Packet[Stream] | None]"


def built_in() -> tuple[Hardware, ...]:
    """Return the hardware that this build of PyAV knows; whether any is here is another matter."""
    return tuple(kind for kind in HARDWARE if kind in hwdevices_available())


def why_not(kind: Hardware) -> str | None:
    """Return why nothing can be decoded on `kind` here, which is built in; None where it can.

    It is opened for a moment, which takes some of a GPU's memory.
    """
    try:
        opened = av.CodecContext.create(_PROBED, "r", HWAccel(kind, allow_software_fallback=False))
    except FFmpegError as error:
        return f"{kind} cannot be opened here ({error.strerror})"
    return None if opened.is_hwaccel else f"{kind} decodes nothing here"


class HardwareDecoder:
    """Decodes one film on hardware as long as that can do it, and then in software."""

    def __init__(self, kind: Hardware, film: Path) -> None:
        """Take the hardware and the film; nothing is opened yet."""
        self.notice: str | None = None
        """What the user should know, once it is known."""
        self._kind, self._film = kind, film

    def frames(
        self,
        packets: _Packets,
        software: VideoCodecContext,
        in_software: Callable[[_Packets], Iterator[VideoFrame]],
    ) -> Iterator[VideoFrame]:
        """Yield the frames of `packets`, which begin where the film begins, and None at its end.

        What the hardware does not take, for whatever reason, `in_software` gets again, with all
        that is needed to decode it. `software` is the decoder that it uses.
        """
        held, last = _Held(), None
        try:
            for frame in self._on_hardware(packets, software, held):
                last = frame.pts if frame.pts is not None else last
                yield frame
                held.forget_before(last)
        except (FFmpegError, FilmError, _UnfitError) as error:
            self.notice = self._about(error, is_begun=last is not None)
        else:
            return
        for frame in in_software(chain(held.rest(), packets)):
            if last is None or frame.pts is None or frame.pts > last:
                yield frame

    def _on_hardware(
        self, packets: _Packets, software: VideoCodecContext, held: _Held
    ) -> Iterator[VideoFrame]:
        decoder = self._open(software)
        for packet in packets:
            held.add(packet)
            yield from decoder.decode(packet)

    def _open(self, software: VideoCodecContext) -> VideoCodecContext:
        """Return a decoder that knows of the film what `software` knows, by opening it again."""
        codec = software.codec
        if not _has_decoder(self._kind, codec):
            raise _UnfitError(f"PyAV has no decoder for {codec.canonical_name} on it")
        # PyAV's own fallback would go on with one thread.
        hardware = HWAccel(self._kind, allow_software_fallback=False)
        with open_container(self._film, hardware) as container:
            if container.format.name == "avi":
                raise _UnfitError("an AVI does not tell when its pictures are shown")
            decoder = pick_stream(self._film, container).codec_context
        decoder.thread_count = 1  # more would only take more of the GPU's memory
        decoder.skip_frame = software.skip_frame
        return decoder

    def _about(self, error: Exception, *, is_begun: bool) -> str:
        told = error.__cause__ if isinstance(error, FilmError) and error.__cause__ else error
        reason = getattr(told, "strerror", None) or str(told)
        if is_begun:
            return f"{self._kind} failed ({reason}): the CPU went on, and nothing is lost."
        return f"{self._kind} did not take it ({reason}): it was decoded by the CPU."


def _has_decoder(kind: Hardware, codec: Codec) -> bool:
    return any(config.device_type.name == kind for config in codec.hardware_configs)


class _UnfitError(Exception):
    """This film is none for the hardware."""


class _Held:
    """The packets since a key picture that was given out: with them a decoder can begin anew.

    A picture that is shown after a key picture, and is decoded after it, needs nothing before it.
    """

    def __init__(self) -> None:
        self._packets: deque[Packet[Stream] | None] = deque()
        self._keys: deque[Packet[Stream]] = deque()
        self._bytes = 0

    def add(self, packet: Packet[Stream] | None) -> None:
        """Hold `packet`, None for the end.

        Raises:
            _UnfitError: It is held, but what comes after it could not be.
        """
        self._packets.append(packet)
        if packet is None:
            return
        if packet.pts is None:
            raise _UnfitError("its packets do not tell when they are shown")
        if packet.is_keyframe:
            self._keys.append(packet)
        self._bytes += packet.size
        if self._bytes > _HELD_MOST_BYTES:
            raise _UnfitError(f"over {_HELD_MOST_BYTES >> 20} MiB lie between its key pictures")

    def forget_before(self, last: int | None) -> None:
        """Let go what is not needed once the picture with the time stamp `last` is given out."""
        while last is not None and len(self._keys) > 1 and (self._keys[1].pts or 0) <= last:
            self._keys.popleft()
            while self._packets[0] is not self._keys[0]:
                gone = self._packets.popleft()
                self._bytes -= gone.size if gone is not None else 0

    def rest(self) -> _Packets:
        """Yield what is held, each for the last time."""
        while self._packets:
            yield self._packets.popleft()
