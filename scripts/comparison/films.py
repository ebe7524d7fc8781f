"""Makes a film to measure on."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

_SHOT_S = (2, 10)
_LINE_S = (1.5, 3.5)
_SILENCE_S = (1, 9)


def make_film(path: Path, minutes: float) -> Path:
    """Write a film of drifting textures under grain, 1080p, with a cut every 2 to 10 seconds."""
    print(f"Making a film of {minutes:g} minutes ...", flush=True)
    chance = random.Random(7)
    left, shots = minutes * 60, []
    while left > 0:
        shots.append(min(left, chance.uniform(*_SHOT_S)))
        left -= shots[-1]
    inputs, filters = [], []
    for number, length in enumerate(shots):
        start = f"start_x={chance.uniform(-1, 0.3):.4f}:start_y={chance.uniform(-1, 1):.4f}"
        scale = f"start_scale={chance.uniform(0.05, 0.8):.4f}:end_scale=0.05:end_pts=600"
        inputs += ["-f", "lavfi", "-t", f"{length:.2f}", "-i",
                   f"mandelbrot=s=960x540:r=25:maxiter=300:{start}:{scale}"]  # fmt: skip
        hue = chance.randrange(360)
        filters.append(f"[{number}]hue=h={hue},scale=1920:1080,noise=alls=4:allf=t[v{number}]")
    joined = "".join(f"[v{number}]" for number in range(len(shots)))
    graph = ";".join(filters) + f";{joined}concat=n={len(shots)}:v=1,format=yuv420p"
    run_ffmpeg(*inputs, "-filter_complex", graph, "-c:v", "libx264", "-preset", "veryfast",
               "-crf", "24", path)  # fmt: skip
    return path


def write_subtitles(path: Path, minutes: float) -> Path:
    """Write lines of dialogue with silence between them."""
    chance = random.Random(11)
    at_s, lines = chance.uniform(*_SILENCE_S), []
    while at_s < minutes * 60 - _LINE_S[1]:
        end_s = at_s + chance.uniform(*_LINE_S)
        lines.append(f"{len(lines) + 1}\n{_clock(at_s)} --> {_clock(end_s)}\nLine {len(lines)}.\n")
        at_s = end_s + chance.uniform(*_SILENCE_S)
    path.write_text("\n".join(lines))
    return path


def run_ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg, and fail where it does."""
    command = ["ffmpeg", "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    subprocess.run(command, check=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
