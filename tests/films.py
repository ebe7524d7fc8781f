"""Makes test films whose every frame carries its index in its pixels.

The index is a row of black and white blocks in Gray code, most significant bit first, so that
neighbouring frames differ in one block; a white and a black block before it prove that the row
was found. The row fills the upper eighth of the picture as it is to be seen.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph
from av.subtitles.subtitle import SubtitleSet

BITS = 14
CELLS = BITS + 2
ROW_SHARE = 8
BLACK_LEVEL, WHITE_LEVEL = 24, 232

THUMB_WIDTH, THUMB_HEIGHT = 16, 9

Thumb = bytes
"""A picture as 16 x 9 RGB pixels; the film shows it smoothly enlarged."""

BLACK: Thumb = bytes(THUMB_WIDTH * THUMB_HEIGHT * 3)


def picture(seed: int) -> Thumb:
    """A colourful picture that is like no other seed's."""
    return random.Random(seed).randbytes(THUMB_WIDTH * THUMB_HEIGHT * 3)


def still(seed: int, frames: int) -> list[Thumb]:
    """A shot in which nothing moves."""
    return [picture(seed)] * frames


def blend(one: Thumb, other: Thumb, share: float) -> Thumb:
    return bytes(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


def dissolve(one: Thumb, other: Thumb, frames: int) -> list[Thumb]:
    """The way from `one` to `other`, both left out; to or from `BLACK` it is a fade."""
    return [blend(one, other, (number + 1) / (frames + 1)) for number in range(frames)]


@dataclass(frozen=True)
class Look:
    """How a film is coded."""

    size: tuple[int, int] = (320, 180)
    """As it is to be seen, before `filters`."""
    rate: Fraction = Fraction(25)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast"})
    filters: tuple[tuple[str, str], ...] = ()
    """What is done to each picture before it is coded."""
    container_options: dict[str, str] = field(default_factory=dict)
    sample_aspect: Fraction | None = None
    rotation: int | None = None
    """Degrees that a player turns the picture by, counterclockwise."""
    times: Sequence[Fraction] | None = None
    """When each frame is shown, in seconds; None: at `rate`."""
    colours: tuple[int, int, int, int] | None = None
    """Range, primaries, transfer and matrix as in ISO/IEC 23091-2 (range: 1 limited, 2 full)."""
    has_index: bool = True
    first_index: int = 0
    """The index of the first frame."""
    silence_s: float = 0.0
    """Length of a silent sound track, which starts at 0."""


def make_film(path: Path, thumbs: Sequence[Thumb], look: Look | None = None) -> Path:
    """Write the film at `path`, its kind told by the suffix, and return `path`."""
    look = look or Look()
    with av.open(str(path), "w", options=look.container_options) as container:
        stream = sound = None
        graph = _graph(look)
        for index, thumb in enumerate(thumbs):
            shown = index + look.first_index if look.has_index else None
            frame = paint(thumb, shown, look.size)
            frame.pts, frame.time_base = index, _GRAPH_TIME
            graph.push(frame)
            frame = graph.pull()
            if stream is None:
                stream = _add_stream(container, look, frame.width, frame.height)
                sound = _add_silence(container) if look.silence_s else None
            frame.time_base = Fraction(1, 90000) if look.times else 1 / look.rate
            frame.pts = round(look.times[index] * 90000) if look.times else index
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
        if sound is not None:
            for start in range(0, round(look.silence_s * 8000), 400):
                container.mux(sound.encode(_silence(start)))
    return path


def make_sound(path: Path) -> Path:
    """Write a second of silence: a file without any picture."""
    with av.open(str(path), "w") as container:
        stream = _add_silence(container)
        for start in range(0, 8000, 400):
            container.mux(stream.encode(_silence(start)))
    return path


def mux_subtitles(
    film: Path,
    path: Path,
    codec: str,
    lines: Sequence[tuple[float, float, str]],
    language: str | None = None,
) -> Path:
    """Copy `film` to `path` with a text track of `lines`: start and end in seconds, text."""
    with av.open(str(film)) as source, av.open(str(path), "w") as container:
        picture_track = container.add_stream_from_template(source.streams.video[0])
        text_track = container.add_stream(codec)
        text_track.codec_context.subtitle_header = _ASS_HEADER
        if language is not None:
            text_track.metadata["language"] = language
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, (start, end, text) in enumerate(lines):
            event = f"{number},0,Default,,0,0,0,,{text}".encode()
            shown = SubtitleSet.create(event, 0, round((end - start) * 1000), round(start * 10**6))
            packet = text_track.codec_context.encode_subtitle(shown)
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = round(start * 1000)
            packet.duration = round((end - start) * 1000)
            packet.stream = text_track
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            if packet.stream is not text_track:
                packet.stream = picture_track
            container.mux(packet)
    return path


_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def make_packed_avi(
    path: Path, thumbs: Sequence[Thumb], size: tuple[int, int] = (320, 180)
) -> Path:
    """Write an AVI as DivX 5 did: a B-frame shares a chunk with the P-frame it needs.

    The chunk that the B-frame would have had holds an empty picture instead, and the user
    data's last letter tells the decoder ("DivX503b1393p").
    """
    raw = path.with_suffix(".plain.avi")
    options = {
        "bf": "1",
        "b": "2000000",
        "g": "24",
        "sc_threshold": "1000000000",
        "mpv_flags": "+strict_gop",
    }
    make_film(raw, thumbs, Look(size=size, codec="mpeg4", options=options))
    with av.open(str(raw)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        chunks = _packed([bytes(packet) for packet in source.demux(video=0) if packet.size])
        for index, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            packet.is_keyframe = _coding_type(chunk) == 0
            container.mux(packet)
    raw.unlink()
    return path


def _packed(pictures: list[bytes]) -> list[bytes]:
    """Regroup pictures in coding order (I P B P B ...) into chunks, one a display time."""
    chunks: list[bytes] = []
    for data in pictures:
        if _coding_type(data) == 2:
            chunks[-1] += data
            chunks.append(_EMPTY_PICTURE)
        else:
            chunks.append(data)
    vop = chunks[0].index(_VOP_START)
    chunks[0] = chunks[0][:vop] + b"\x00\x00\x01\xb2DivX503b1393p" + chunks[0][vop:]
    return chunks


_VOP_START = b"\x00\x00\x01\xb6"
_EMPTY_PICTURE = _VOP_START + bytes([0b01_0_1_0000, 0b0_1_0_01111])


def _coding_type(data: bytes) -> int:
    """0 for an I-, 1 for a P- and 2 for a B-picture (ISO/IEC 14496-2, 6.2.5)."""
    return data[data.index(_VOP_START) + 4] >> 6


def paint(thumb: Thumb, index: int | None, size: tuple[int, int]) -> av.VideoFrame:
    """The picture `thumb` with `index` in its upper eighth, as RGB24."""
    width, height = size
    body = _enlarged(thumb, size)
    row = b"" if index is None else _index_row(index, width)
    rows = height // ROW_SHARE if row else 0
    frame = av.VideoFrame(width, height, "rgb24")
    stride = frame.planes[0].line_size
    padding = bytes(stride - 3 * width)
    frame.planes[0].update((row + padding) * rows + body[rows * stride :])
    return frame


def index_of(jpeg: bytes) -> int:
    """Read the index out of a JPEG; fails where there is none."""
    frame = decode_jpeg(jpeg).reformat(format="gray")
    plane = frame.planes[0]
    pixels = bytes(plane)
    y = frame.height // (2 * ROW_SHARE)
    levels = [
        pixels[y * plane.line_size + int((cell + 0.5) * frame.width / CELLS)]
        for cell in range(CELLS)
    ]
    assert levels[0] > levels[1] + 60, f"no index row: {levels}"
    middle = (levels[0] + levels[1]) / 2
    code = sum((level > middle) << (BITS - 1 - at) for at, level in enumerate(levels[2:]))
    return _from_gray_code(code)


def decode_jpeg(jpeg: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        return next(container.decode(video=0))


def _add_stream(container: av.container.OutputContainer, look: Look, width: int, height: int):
    stream = container.add_stream(look.codec, rate=look.rate, options=look.options)
    stream.width, stream.height, stream.pix_fmt = width, height, look.pix_fmt
    context = stream.codec_context
    context.time_base = Fraction(1, 90000) if look.times else 1 / look.rate
    if look.sample_aspect is not None:
        context.sample_aspect_ratio = look.sample_aspect
    if look.colours is not None:
        (context.color_range, context.color_primaries, context.color_trc, context.colorspace) = (
            look.colours
        )
    if look.rotation is not None:
        stream.set_display_rotation(look.rotation)
    return stream


def _add_silence(container: av.container.OutputContainer):
    return container.add_stream("pcm_s16le", rate=8000, layout="mono")


def _silence(start: int) -> av.AudioFrame:
    frame = av.AudioFrame("s16", "mono", 400)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
    return frame


_GRAPH_TIME = Fraction(1, 25)


def _graph(look: Look) -> Graph:
    """What a painted picture passes to be coded: one in, one out."""
    graph = Graph()
    width, height = look.size
    nodes = [graph.add_buffer(width=width, height=height, format="rgb24", time_base=_GRAPH_TIME)]
    nodes += [graph.add(name, args) for name, args in look.filters]
    nodes += [graph.add("format", look.pix_fmt), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph


_bodies: dict[tuple[Thumb, tuple[int, int]], bytes] = {}


def _enlarged(thumb: Thumb, size: tuple[int, int]) -> bytes:
    if (thumb, size) not in _bodies:
        small = av.VideoFrame(THUMB_WIDTH, THUMB_HEIGHT, "rgb24")
        stride, row = small.planes[0].line_size, 3 * THUMB_WIDTH
        lines = [thumb[at * row : (at + 1) * row] for at in range(THUMB_HEIGHT)]
        small.planes[0].update(b"".join(line + bytes(stride - row) for line in lines))
        large = small.reformat(*size, interpolation="BILINEAR")
        if len(_bodies) > 64:
            _bodies.clear()
        _bodies[thumb, size] = bytes(large.planes[0])
    return _bodies[thumb, size]


def _index_row(index: int, width: int) -> bytes:
    code = index ^ (index >> 1)
    cells = [1, 0, *((code >> bit) & 1 for bit in reversed(range(BITS)))]
    edges = [round(cell * width / CELLS) for cell in range(CELLS + 1)]
    return b"".join(
        bytes([WHITE_LEVEL if cell else BLACK_LEVEL]) * 3 * (edges[at + 1] - edges[at])
        for at, cell in enumerate(cells)
    )


def _from_gray_code(code: int) -> int:
    index = 0
    while code:
        index ^= code
        code >>= 1
    return index
