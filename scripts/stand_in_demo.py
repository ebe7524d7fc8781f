"""Describes a short film with a stand-in model, both made on the spot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

import films  # noqa: E402
import tiny_llava  # noqa: E402

SCENES, FRAMES_EACH = 6, 50


def main() -> int:
    """Make film and model in the folder given, describe the film, show the first scenes."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "short-film.mp4"
    if not film.exists():
        shots = [films.still(seed, FRAMES_EACH) for seed in range(SCENES)]
        films.make_film(film, [thumb for shot in shots for thumb in shot])
    model = tiny_llava.write_pair(folder)
    print(
        "This is a stand-in model with random weights: the whole way is real, the words mean "
        "nothing.",
        file=sys.stderr,
    )
    files = ["--model", model.model, "--mmproj", model.mmproj]
    return subprocess.run(
        [Path(sys.executable).with_name("cinecut"), "describe", film, *files, "--fresh"],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
