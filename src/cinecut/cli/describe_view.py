"""What the user sees while films are described: scenes as they come, a summary, a table."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from rich.table import Table
from rich.text import Text

from cinecut.cli.terminal import Terminal
from cinecut.describe import Event, FilmBegan, FilmEnded, SceneDone
from cinecut.outcomes import Batch, FilmOutcome
from cinecut.pipeline import FilmWork
from cinecut.results.presentation import clock, timecode
from cinecut.results.scenes import Scene, scene_to_dict
from cinecut.text import printable


class DescribeView:
    """Shows a batch of films on a terminal; an `Observer` of `describe_batch`."""

    def __init__(self, terminal: Terminal) -> None:
        """Take the terminal to show them on."""
        self._terminal = terminal
        self.notice, self.detail, self.tell = terminal.notice, terminal.detail, terminal.tell

    def live(self) -> AbstractContextManager[None]:
        """Show the live line while the block runs."""
        return self._terminal.live()

    def show(self, event: Event) -> None:
        """Show what has happened to a film."""
        work, name = event.work, event.work.job.path.name
        match event:
            case FilmBegan():
                if work.replaces_another_run:
                    self.notice(
                        f"{name}: the results of other settings or another model were here. They "
                        "are kept as scenes.previous.jsonl, and a new run begins."
                    )
                self._terminal.follow(name, lambda: _facts(work))
            case SceneDone(_, scene):
                self._terminal.data({"film": name, **scene_to_dict(scene)}, _text(scene))
                total_s = work.scan.info.duration_s if work.scan else None
                self._terminal.advance(scene.keyframe.timestamp_s, total_s)
            case FilmEnded():
                for notice in work.scan.report.notices if work.scan else ():
                    self.notice(f"{name}: {notice}")
                if work.error is None:
                    self.tell(summary(work), style="bold")

    def show_table(self, batch: Batch) -> None:
        """Print what became of several films."""
        table = Table("Film", "Scenes", "Skipped", "Time", "Outcome", box=None, pad_edge=False)
        for outcome in batch.outcomes:
            error = outcome.error
            table.add_row(
                Text(printable(outcome.film.name)),
                str(outcome.described + outcome.resumed),
                str(sum(outcome.skipped.values())),
                clock(outcome.elapsed_s),
                Text(printable(error.cause), "red") if error else _how(outcome),
            )
        self._terminal.table(table)
        if batch.index:
            self.tell(f"All storyboards: {batch.index}")


def summary(work: FilmWork) -> str:
    """Return in one line what was done, what was skipped and why, how fast, and where it lies."""
    parts = [f"{work.described} scenes described"]
    if work.resumed:
        parts.append(f"{work.resumed} were there already")
    if work.skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(work.skipped.items()))
        parts.append(f"{sum(work.skipped.values())} skipped ({reasons})")
    if work.scan and work.scan.report.merged:
        parts.append(f"{work.scan.report.merged} near-duplicates merged")
    rate = work.answered / work.elapsed_s if work.elapsed_s else 0.0
    return (
        f"{work.job.path.name}: {', '.join(parts)} in {clock(work.elapsed_s)} "
        f"({rate:.2f} frames/s). Results: {work.job.folder}"
    )


def _how(outcome: FilmOutcome) -> str:
    return "done before" if outcome.was_done else "done"


def _facts(work: FilmWork) -> str:
    skipped = sum(work.skipped.values())
    rate = work.answered / max(time.monotonic() - work.began_s, 0.001)
    return f"{work.described} done, {skipped} skipped, {rate:.1f}/s"


def _text(scene: Scene) -> Text:
    text = Text()
    text.append(timecode(scene.keyframe.timestamp_s), style="bold")
    text.append(f"  {scene.keyframe.source.replace('_', ' ')}", style="dim")
    if scene.description:
        for name, value in scene.description.model_dump().items():
            text.append(f"\n  {name.replace('_', ' ')}: ", style="dim")
            text.append(printable(value))
    elif scene.skipped:
        reason = f"{scene.skipped.reason}: {printable(scene.skipped.detail)}"
        text.append(f"\n  skipped: {reason}", style="red")
    return text
