"""What the user sees while films are described: scenes, a live line, a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cinecut.describe import Event, FilmBegan, FilmEnded, FilmWork, SceneDone
from cinecut.results.presentation import timecode
from cinecut.results.scenes import Scene, scene_to_line
from cinecut.text import printable

_PLAIN_STEP_S: Final = 10.0


class Terminal:
    """Talks on stderr and puts data on stdout.

    On a terminal a live line stays below the scenes; elsewhere there is a plain line every ten
    seconds. With `json`, stdout gets the journal's lines and nothing else.
    """

    def __init__(self, *, json: bool, quiet: bool, verbose: bool) -> None:
        """Take the user's wishes."""
        self._json, self._quiet, self._verbose = json, quiet, verbose
        self._talk = Console(stderr=True, highlight=False, quiet=quiet, soft_wrap=True)
        self._data = Console(highlight=False, soft_wrap=True)
        self._is_live = self._talk.is_terminal and not quiet
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Facts(),
            console=self._talk,
            transient=True,
            disable=not self._is_live,
            refresh_per_second=4,
        )
        self._task: TaskID | None = None
        self._last_plain_s = time.monotonic()

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the live line while the block runs."""
        with self._progress:
            yield

    def notice(self, sentence: str) -> None:
        """Say something that the user should know."""
        self._say(Text(printable(sentence), style="yellow"))

    def detail(self, sentence: str) -> None:
        """Say something that only a curious user wants to know."""
        if self._verbose:
            self._say(Text(printable(sentence), style="dim"))

    def tell(self, sentence: str) -> None:
        """Say how it goes."""
        self._say(Text(printable(sentence)))

    def show(self, event: Event) -> None:
        """Show what has happened."""
        match event:
            case FilmBegan(work):
                self._show_begin(work)
            case SceneDone(work, scene):
                self._show_scene(work, scene)
            case FilmEnded(work):
                self._show_end(work)

    def table(self, works: list[FilmWork]) -> None:
        """Print what became of several films."""
        table = Table("Film", "Scenes", "Skipped", "Time", "Outcome", box=None, pad_edge=False)
        for work in works:
            table.add_row(
                Text(printable(work.job.path.name)),
                str(work.described + work.resumed),
                str(sum(work.skipped.values())),
                timecode(work.elapsed_s),
                Text(printable(work.error.cause if work.error else "done")),
            )
        self._talk.print(table)

    def _show_begin(self, work: FilmWork) -> None:
        name = printable(work.job.path.name)
        if work.replaces_another_run:
            self.notice(
                f"{name}: the results of another model or other settings were there; "
                "they are kept as scenes.previous.jsonl and a new run begins."
            )
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=None, work=work)
        if not self._is_live:
            self.tell(f"Describing {name}")

    def _show_scene(self, work: FilmWork, scene: Scene) -> None:
        if self._json:
            sys.stdout.write(scene_to_line(scene))
            sys.stdout.flush()
        elif not self._quiet:
            # Above the live line where both share a screen; elsewhere stdout is its own.
            together = self._is_live and self._data.is_terminal
            (self._progress.console if together else self._data).print(_scene_text(scene))
        if self._task is not None:
            total = work.scan.info.duration_s if work.scan else None
            self._progress.update(self._task, total=total, completed=scene.keyframe.timestamp_s)
        if not self._is_live and time.monotonic() - self._last_plain_s >= _PLAIN_STEP_S:
            self._last_plain_s = time.monotonic()
            self.tell(f"{printable(work.job.path.name)}: {_facts(work)}")

    def _show_end(self, work: FilmWork) -> None:
        if work.error is None:
            self.tell(summary(work))
        for notice in work.scan.report.notices if work.scan else ():
            self.notice(f"{work.job.path.name}: {notice}")

    def _say(self, text: Text) -> None:
        with suppress(OSError):  # the terminal may have been closed; the work goes on
            self._talk.print(text)


class _Facts(ProgressColumn):
    """Frames done, skipped, frames per second, time left."""

    def render(self, task: Task) -> Text:
        work: FilmWork = task.fields["work"]
        left_s = task.time_remaining
        left = f", {timecode(left_s)} left" if left_s is not None else ""
        return Text(_facts(work) + left, style="cyan")


def summary(work: FilmWork) -> str:
    """Return in one line what was done, what was skipped and why, how fast, and where it lies."""
    scan = work.scan
    parts = [f"{work.described} scenes described"]
    if work.resumed:
        parts.append(f"{work.resumed} were there already")
    if work.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(work.skipped.items()))
        parts.append(f"{sum(work.skipped.values())} skipped ({reasons})")
    if scan and scan.report.merged:
        parts.append(f"{scan.report.merged} near-duplicates merged")
    if scan and scan.report.damaged:
        parts.append(f"{scan.report.damaged} damaged places passed over")
    if scan and scan.report.approximate:
        parts.append("an approximate scan")
    rate = work.answered / work.elapsed_s if work.elapsed_s else 0.0
    return (
        f"{work.job.path.name}: {', '.join(parts)}, in {work.elapsed_s:.1f} s "
        f"({rate:.2f} frames/s). Results: {work.job.folder}"
    )


def _facts(work: FilmWork) -> str:
    skipped = sum(work.skipped.values())
    elapsed_s = max(time.monotonic() - work.began_s, 0.001)
    return f"{work.described} done, {skipped} skipped, {work.answered / elapsed_s:.2f} frames/s"


def _scene_text(scene: Scene) -> Text:
    text = Text()
    text.append(timecode(scene.keyframe.timestamp_s), style="bold")
    text.append(f"  {scene.keyframe.source}\n", style="dim")
    if scene.description:
        for name, value in scene.description.model_dump().items():
            text.append(f"  {name.replace('_', ' ')}: ", style="dim")
            text.append(printable(value) + "\n")
    elif scene.skipped:
        text.append(
            f"  skipped: {scene.skipped.reason}: {printable(scene.skipped.detail)}\n", "red"
        )
    text.rstrip()
    return text
