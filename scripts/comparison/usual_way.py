"""Describes a film the usual way, as one command: for comparison.

A proxy of 420 lines by ffmpeg, PySceneDetect on it, the middles of shots and of subtitle lines, a
picture every ten seconds where there is neither; one ffmpeg a frame, and one request at a time,
held to a JSON schema, to a llama-server of one slot that is otherwise left as it is. Needs ffmpeg,
`scenedetect`, `pysubs2` and `requests`. Prints a line of JSON for each frame.
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pysubs2
import requests
from films import run_ffmpeg
from scenedetect import ContentDetector, detect

FIELDS = ("visual_content", "mood", "action", "setting")
CONTEXT = 2048
INTERVAL_S, APART_S = 10.0, 1.0
MOST_TOKENS = 400


def main() -> int:
    """Describe the film, and end the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    for name in ("--llama-server", "--model", "--mmproj"):
        parser.add_argument(name, required=True)
    parser.add_argument("--subtitles", type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [given.llama_server, "-m", given.model, "--mmproj", given.mmproj, "-np", "1",
         "-c", str(CONTEXT), "--port", str(port)],
        stdout=(given.output / "server.log").open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        moments = find_moments(given.film, given.subtitles, given.output)
        while not is_ready(port):
            time.sleep(0.1)
        for number, moment in enumerate(moments):
            picture = given.output / f"{number:04}.jpg"
            run_ffmpeg("-ss", f"{moment:.3f}", "-i", given.film, "-frames:v", "1", "-q:v", "3",
                       picture)  # fmt: skip
            told = ask(port, picture.read_bytes())
            print(json.dumps({"timestamp_s": round(moment, 3), "description": told}), flush=True)
    finally:
        server.terminate()
        server.wait()
    return 0


def find_moments(film: Path, subtitles: Path | None, folder: Path) -> list[float]:
    """Return which moments to describe, in seconds."""
    proxy = folder / "proxy.mp4"
    run_ffmpeg("-i", film, "-vf", "scale=-2:420", "-c:v", "libx264", "-preset", "veryfast",
               "-crf", "28", "-an", proxy)  # fmt: skip
    shots = [(a.seconds, b.seconds) for a, b in detect(str(proxy), ContentDetector(threshold=27.0))]
    lines = pysubs2.load(str(subtitles)) if subtitles else []
    found = [(line.start + line.end) / 2000 for line in lines]
    found += [(begin + end) / 2 for begin, end in shots]
    length_s = shots[-1][1] if shots else 0.0
    moments: list[float] = []
    for moment in sorted(found):
        if not moments or moment - moments[-1] >= APART_S:
            while moments and moment - moments[-1] > INTERVAL_S:
                moments.append(moments[-1] + INTERVAL_S)
            moments.append(moment)
    return [moment for moment in moments if moment < length_s]


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def ask(port: int, picture: bytes) -> object:
    """Return what the model says about a picture; its text where that is no JSON."""
    schema = {
        "type": "object",
        "properties": {field: {"type": "string"} for field in FIELDS},
        "required": FIELDS,
    }
    url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    question = f"Describe this frame of a film as JSON with the fields {', '.join(FIELDS)}."
    body = {
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": url}},
        ]}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        "max_tokens": MOST_TOKENS,
    }  # fmt: skip
    reply = requests.post(
        f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=600
    ).json()
    text = reply["choices"][0]["message"]["content"]
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
