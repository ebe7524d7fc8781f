"""Runs single frames through FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

Filters = tuple[tuple[str, str], ...]
"""FFmpeg filters in a row: name and arguments."""

_TIME_BASE = Fraction(1, 1000)


class FilterChain:
    """One picture in, one picture out, through filters in a row."""

    def __init__(self, frame: VideoFrame, filters: Filters) -> None:
        """Build the chain for frames of the size, format and colours of `frame`."""
        self._graph = _new_graph()
        nodes = [_source(self._graph, frame)]
        nodes += [self._graph.add(name, args) for name, args in filters]
        self._graph.link_nodes(*nodes, self._graph.add("buffersink")).configure()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """Return `frame` as it leaves the chain."""
        self._graph.push(frame)
        return _picture(self._graph.pull())

    def last(self, frame: VideoFrame) -> VideoFrame:
        """Return `frame` from a chain that holds pictures back; it can be used only once."""
        self._graph.push(frame)
        self._graph.push(None)
        return _picture(self._graph.pull())


class SceneFilter:
    """Filters in a row, and the `select` filter's scene score on what leaves them."""

    def __init__(self, frame: VideoFrame, filters: Filters, threshold: float) -> None:
        """Build the graph for frames like `frame`; `threshold` is a scene score, 0 to 1."""
        self._graph = _new_graph()
        self._source = _source(self._graph, frame)
        nodes = [self._source, *(self._graph.add(name, args) for name, args in filters)]
        split = self._graph.add("split", "2")
        self._pictures = self._graph.add("buffersink")
        # FFmpeg tells the score of a frame only by letting it pass or not.
        select = self._graph.add("select", f"gte(scene\\,{threshold:.6f})")
        self._changes = self._graph.add("buffersink")
        self._graph.link_nodes(*nodes, split, self._pictures)
        split.link_to(select, 1)
        select.link_to(self._changes)
        self._graph.configure()

    def __call__(self, frame: VideoFrame) -> tuple[VideoFrame, bool]:
        """Return `frame` as it leaves the filters, and whether it reaches the threshold."""
        self._source.push(frame)
        picture = _picture(self._pictures.pull())
        try:
            self._changes.pull()
        except av.error.BlockingIOError:
            return picture, False
        return picture, True


def stack(frames: Sequence[VideoFrame], cell: tuple[int, int], *, is_down: bool) -> VideoFrame:
    """Return full-range `frames` as one, each scaled to `cell`, width and height.

    Raises:
        av.error.FFmpegError: FFmpeg cannot convert them.
    """
    graph = _new_graph()
    joined = graph.add("vstack" if is_down else "hstack", f"inputs={len(frames)}")
    sources = []
    for place, frame in enumerate(frames):
        size = f"{cell[0]}:{cell[1]}:flags=lanczos+accurate_rnd+full_chroma_int"
        nodes = [_source(graph, frame), graph.add("scale", size), graph.add("format", "yuvj444p")]
        graph.link_nodes(*nodes)
        nodes[-1].link_to(joined, 0, place)
        sources.append(nodes[0])
    graph.link_nodes(joined, graph.add("buffersink")).configure()
    for source, frame in zip(sources, frames, strict=True):
        frame.pts, frame.time_base = 0, _TIME_BASE
        source.push(frame)
        source.push(None)
    return _picture(graph.pull())


def _new_graph() -> Graph:
    graph = Graph()
    graph.threads = 1  # the decoder's threads keep the cores busy already
    return graph


def _source(graph: Graph, frame: VideoFrame) -> FilterContext:
    return graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base={_TIME_BASE}:colorspace={int(frame.colorspace)}"
        f":range={int(frame.color_range)}",
    )


def _picture(frame: object) -> VideoFrame:
    if not isinstance(frame, VideoFrame):
        raise TypeError(frame)
    return frame
