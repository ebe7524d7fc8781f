"""Writes excerpts as an extended M3U playlist: VLC plays these pieces and no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinecut.excerpts.spans import Excerpt
from cinecut.results.presentation import timecode
from cinecut.text import printable


def to_m3u(excerpts: Sequence[tuple[Excerpt, Path]], title: str) -> str:
    """Return one entry an excerpt; the films stand there as addresses, whatever their names."""
    lines = ["#EXTM3U", f"#PLAYLIST:{printable(title)}"]
    for excerpt, film in excerpts:
        hit = excerpt.hit
        seen = next(iter(hit.texts.values()), "")
        name = f"{printable(film.name)} {timecode(hit.timestamp_s)} {printable(seen)}".strip()
        lines += [
            f"#EXTINF:{max(1, round(excerpt.end_s - excerpt.begin_s))},{name}",
            f"#EXTVLCOPT:start-time={excerpt.begin_s:.3f}",
            f"#EXTVLCOPT:stop-time={excerpt.end_s:.3f}",
            film.as_uri(),
        ]
    return "\n".join(lines) + "\n"
