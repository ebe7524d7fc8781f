"""What the user sees while films are described: scenes as they come, a summary, a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from cinecut.cli.terminal import Terminal
from cinecut.results.presentation import clock, field_label, timecode
from cinecut.results.scenes import Scene, scene_to_dict
from cinecut.run.events import Event, FilmBegan, FilmEnded, FilmGoesOn, SceneDone
from cinecut.run.outcomes import Batch, FilmOutcome
from cinecut.text import printable

_MOST_ROWS: Final = 200
_MANY_FILMS: Final = 20  # of which a line each for those that are done already says little
_WORTH_TELLING_BYTES: Final = 10**9  # it takes seconds to load


class DescribeView:
    """Shows a batch of films on a terminal; an `Observer` of `describe_batch`."""

    def __init__(self, terminal: Terminal, films: int = 1) -> None:
        """Take the terminal to show them on, and how many there are."""
        self._terminal, self._films, self._ended = terminal, films, 0
        self._counts = False
        """Whether the live line counts films, because none is being described."""
        self.notice, self.detail, self.tell = terminal.notice, terminal.detail, terminal.tell

    def live(self) -> AbstractContextManager[None]:
        """Show the live line while the block runs."""
        return self._terminal.live()

    @contextmanager
    def loading(self, name: str, size_bytes: int) -> Iterator[None]:
        """Show that llama-server gets ready while the block runs."""
        size = f" ({size_bytes / 1e9:.1f} GB to load)" if size_bytes > _WORTH_TELLING_BYTES else ""
        began_s = time.monotonic()
        if size and not self._terminal.is_live:
            self.tell(f"llama-server gets ready for {name}{size} ...")
        with self._terminal.live():
            self._terminal.follow(
                name,
                lambda: f"llama-server gets ready{size}, {clock(time.monotonic() - began_s)}",
            )
            try:
                yield
            finally:
                self._terminal.unfollow()

    def show(self, event: Event) -> None:
        """Show what has happened to a film."""
        outcome, name = event.outcome, event.outcome.film.name
        match event:
            case FilmBegan():
                self.notice_another_run(outcome)
                self._latest = outcome
                self._counts = False
                self._terminal.follow(name, lambda: self._place() + _facts(self._latest))
            case SceneDone(_, scene):
                self._latest = outcome
                self._terminal.data({"film": name, **scene_to_dict(scene)}, scene_text(scene))
            case FilmGoesOn():
                self._latest = outcome
                self._terminal.advance(outcome.position_s, outcome.duration_s)
            case FilmEnded():
                self.show_end(outcome)
                self.show_error(outcome)
                self._count_film()

    def show_end(self, outcome: FilmOutcome) -> None:
        """Tell what became of a film, unless it failed."""
        for notice in outcome.notices:
            self.notice(f"{outcome.film.name}: {notice}")
        if outcome.summary:
            self.tell(f"{outcome.film.name}: {summary_cost(outcome.summary)}")
        if outcome.was_done:
            say = self.tell if self._films <= _MANY_FILMS else self.detail
            say(f"{outcome.film.name}: done already{_where(outcome)}")
        elif outcome.error is None:
            self.tell(summary(outcome), style="bold")
            self.detail(f"{outcome.film.name}: {times(outcome)}")

    def show_error(self, outcome: FilmOutcome) -> None:
        """Tell what went wrong with a film, if something did."""
        if outcome.error is not None:
            self._terminal.error(outcome.error)

    def _place(self) -> str:
        return f"film {self._ended + 1:,} of {self._films:,}, " if self._films > 1 else ""

    def _count_film(self) -> None:
        self._ended += 1
        if self._films == 1:
            return
        if not self._counts:
            self._counts = True
            self._terminal.follow("films", lambda: f"{self._ended:,} of {self._films:,} films")
        self._terminal.advance(self._ended, self._films)

    def notice_another_run(self, outcome: FilmOutcome) -> None:
        """Tell of earlier results that do not belong to this run."""
        if outcome.replaces_another_run:
            self.notice(
                f"{outcome.film.name}: the results here are of other settings, subtitles or "
                "another model, or damaged. They are kept as scenes.previous.jsonl, and a new "
                "run begins."
            )

    def show_table(self, batch: Batch) -> None:
        """Print what became of several films; of very many only those that failed."""
        shown = batch.outcomes
        if len(shown) > _MOST_ROWS:
            shown = [outcome for outcome in shown if outcome.error][:_MOST_ROWS]
        table = Table("Film", "Scenes", "Skipped", "Time", "Outcome", box=None, pad_edge=False)
        for outcome in shown:
            error = outcome.error
            table.add_row(
                Text(printable(outcome.film.name)),
                str(outcome.described + outcome.same + outcome.resumed),
                str(sum(outcome.skipped.values())),
                clock(outcome.elapsed_s),
                Text(printable(error.cause), "red") if error else _how(outcome),
            )
        self._terminal.table(table)
        if len(batch.outcomes) > _MANY_FILMS:
            before = sum(outcome.was_done for outcome in batch.outcomes)
            earlier = f", {before:,} of them before" if before else ""
            done, films = len(batch.completed), len(batch.outcomes)
            self.tell(f"{done:,} of {films:,} films are done{earlier}.")
        if batch.index:
            self.tell(f"All storyboards: {batch.index}")


def times(outcome: FilmOutcome) -> str:
    """Return how long each stage took, side by side."""
    told = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in outcome.seconds.items())
    return f"of {outcome.elapsed_s:.1f} s {told}, side by side."


def summary(outcome: FilmOutcome) -> str:
    """Return in one line what was done, what was skipped and why, how fast, and where it lies."""
    parts = [f"{outcome.described} scenes described"]
    if outcome.same:
        parts.append(f"{outcome.same} the same as others")
    if outcome.resumed:
        parts.append(f"{outcome.resumed} were there already")
    if outcome.skipped:
        counts = sorted(outcome.skipped.items())
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
        parts.append(f"{sum(outcome.skipped.values())} skipped ({reasons})")
    if outcome.shortened:
        parts.append(f"{outcome.shortened} with a text cut short")
    if outcome.circular:
        parts.append(f"{outcome.circular} that repeat themselves")
    if outcome.merged:
        parts.append(f"{outcome.merged} near-duplicates merged")
    return (
        f"{outcome.film.name}: {', '.join(parts)} in {clock(outcome.elapsed_s)} "
        f"({_rate(outcome):.2f} frames/s){_where(outcome)}"
    )


def summary_cost(counts: Mapping[str, Any]) -> str:
    """Return in one line what a film's summary came to, and what it cost."""
    return (
        f"summary of {_counted(counts, 'chapter')}, {_counted(counts, 'request')}, "
        f"{counts.get('tokens', 0):,} tokens, {counts.get('elapsed_s', 0):.1f} s of asking"
    )


def _counted(counts: Mapping[str, Any], name: str) -> str:
    count = counts.get(f"{name}s", 0)
    return f"{count} {name}{'' if count == 1 else 's'}"


def _where(outcome: FilmOutcome) -> str:
    names = ", ".join(path.name for path in outcome.exports)
    return f". Results: {outcome.folder}" + (f", with {names}" if names else "")


def _how(outcome: FilmOutcome) -> str:
    return "done before" if outcome.was_done else "done"


def _facts(outcome: FilmOutcome) -> str:
    skipped = sum(outcome.skipped.values())
    return f"{outcome.described} done, {skipped} skipped, {_rate(outcome):.1f}/s"


def _rate(outcome: FilmOutcome) -> float:
    return outcome.answered / max(outcome.elapsed_s, 0.001)


def scene_text(scene: Scene, film: str = "") -> Text:
    """Return a scene as a person reads it, with the name of its film where several are mixed."""
    text = Text()
    if film:
        text.append(f"{printable(film)}  ")
    text.append(timecode(scene.keyframe.timestamp_s), style="bold")
    text.append(f"  {scene.keyframe.source.replace('_', ' ')}", style="dim")
    if scene.same_as is not None:
        text.append(f"\n  the same picture as scene {scene.same_as}", style="dim")
    elif scene.description:
        for name, value in scene.description.model_dump().items():
            if value:
                text.append(f"\n  {field_label(name)}: ", style="dim")
                text.append(printable(value))
    elif scene.skipped:
        reason = f"{scene.skipped.reason}: {printable(scene.skipped.detail)}"
        text.append(f"\n  skipped: {reason}", style="red")
    return text
