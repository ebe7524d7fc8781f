"""Results folders as a run leaves them, and the browser that opens their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, Page, chromium, find_chromium
from PIL import Image
from sample_results import results
from tools import missing

from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import Scene, run_to_line, scene_to_line, step_to_line


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a results folder: journal, and small pictures unless told otherwise."""

    def make(
        scenes: list[Scene],
        *,
        steps: Sequence[SummaryEntry] = (),
        pictures: bool = True,
        **facts: Any,
    ) -> Path:
        folder = tmp_path / "movie.mkv.cinecut"
        (folder / "frames").mkdir(parents=True)
        run = results(scenes, **facts).run
        lines = [run_to_line(run), *map(scene_to_line, scenes), *map(step_to_line, steps)]
        (folder / "scenes.jsonl").write_text("".join(lines), "utf-8")
        if pictures:
            shades = Image.linear_gradient("L").resize((64, 36)).convert("RGB")
            for entry in scenes:
                shades.save(folder / "frames" / Path(entry.keyframe.frame_path).name)
        return folder

    return make


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real headless Chromium."""
    program = find_chromium()
    if program is None:
        missing("Chromium is not on this machine", "chromium")
    with chromium(program, tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of the test's own, 1280 pixels wide."""
    with browser.page() as tab:
        tab.size(1280, 900)
        yield tab
