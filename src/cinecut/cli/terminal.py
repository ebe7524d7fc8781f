"""The two streams: talk and a live line on stderr, data on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column, Table
from rich.text import Text

from cinecut.errors import CineCutError
from cinecut.results.presentation import clock
from cinecut.text import printable

_PLAIN_STEP_S: Final = 10.0
_WIDE_COLUMNS: Final = 80
_MEDIUM_COLUMNS: Final = 60
_BAR_COLUMNS: Final = 14
_NAME_CHARS: Final = 20


class Terminal:
    """Talks to a person on stderr and hands data to stdout.

    On a terminal a live line stays below everything else; elsewhere a plain line says every ten
    seconds how far things are. What comes from films, files and models is shown as text only.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        """Take the user's wishes: JSON on stdout, no talk but errors, more talk."""
        self.is_json, self.is_quiet = json, quiet
        self._verbose = verbose
        self._talk = Console(stderr=True, highlight=False, quiet=quiet)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        # Held: libraries that print to sys.stdout on their own account must not get among the data.
        self._stdout = sys.stdout
        self._data = Console(highlight=False, file=self._stdout)
        # Lines are broken for a screen; in a file or a pipe they stay whole.
        self._talk.soft_wrap = not self._talk.is_terminal
        self._data.soft_wrap = not self._data.is_terminal
        self.is_live = self._talk.is_terminal and not quiet
        """Whether there is a live line."""
        self.is_watched = self._data.is_terminal and not (json or quiet)
        """Whether somebody looks at the data as it comes."""
        # Never as wide as the screen: the terminal's own ^C must not begin another line.
        name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        bar = BarColumn(_BAR_COLUMNS)
        width = self._talk.width
        columns = [name] * (width >= _MEDIUM_COLUMNS) + [bar] * (width >= _WIDE_COLUMNS)
        self._progress = Progress(
            *columns,
            _Facts(),
            console=self._talk,
            transient=True,
            disable=not self.is_live,
            refresh_per_second=4,
            # What is printed on stdout meanwhile goes to stdout, wherever that leads.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None
        self._last_plain_s = time.monotonic()

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the live line while the block runs; a block in a block changes nothing."""
        with nullcontext() if self._progress.live.is_started else self._progress:
            yield

    def follow(self, name: str, facts: Callable[[], str]) -> None:
        """Let the live line follow another piece of work, which tells its facts when asked."""
        name = printable(name)
        self.unfollow()
        self._task = self._progress.add_task(_shortened(name), total=None, name=name, facts=facts)

    def unfollow(self) -> None:
        """Take the live line away until it follows something else."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def advance(self, position: float, total: float | None) -> None:
        """Tell the live line how far the work is, in any unit; None for an unknown total."""
        if self._task is None:
            return
        self._progress.update(self._task, completed=position, total=total)
        is_time = time.monotonic() - self._last_plain_s >= _PLAIN_STEP_S
        if is_time and not self.is_live:
            self._last_plain_s = time.monotonic()
            task = next(task for task in self._progress.tasks if task.id == self._task)
            self.tell(f"{task.fields['name']}: {_facts_and_time_left(task)}")

    def tell(self, sentence: str, style: str = "") -> None:
        """Say how it goes."""
        with suppress(OSError):  # the terminal may have been closed; the work goes on
            self._talk.print(Text(printable(sentence), style=style))

    def prompt(self, text: str) -> None:
        """Say what is waited for, before the place where it is typed."""
        self._talk.print(Text(text, style="bold"), end="")

    def notice(self, sentence: str) -> None:
        """Say what the user should know."""
        self.tell(sentence, style="yellow")

    def error(self, error: CineCutError) -> None:
        """Say what went wrong, whatever the user wished; the live line stays below it."""
        console = self._talk if self.is_live else self._errors
        with suppress(OSError):
            console.print(Text(str(error)))

    def detail(self, sentence: str) -> None:
        """Say what only a curious user wants to know."""
        if self._verbose:
            self.tell(sentence, style="dim")

    def data(self, entry: Mapping[str, Any], text: Text) -> None:
        """Put an entry on stdout: as a line of JSON, or else as text for a person."""
        if self.is_json:
            self._stdout.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._stdout.flush()
        elif not self.is_quiet:
            # Where both streams share a screen, the text must go above the live line.
            shares_screen = self.is_live and self._data.is_terminal
            console = self._talk if shares_screen else self._data
            console.print(text if console.soft_wrap else _indented(text, console))

    def document(self, text: str) -> None:
        """Put a whole file on stdout, in UTF-8 whatever the terminal speaks."""
        self._stdout.flush()
        self._stdout.buffer.write(text.encode("utf-8", errors="backslashreplace"))
        self._stdout.flush()

    def table(self, table: Table) -> None:
        """Print a table among the talk."""
        self._talk.print(table)


class _Facts(ProgressColumn):
    """What the work tells about itself, and the time left."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        return Text(_facts_and_time_left(task), style="cyan", no_wrap=True)


def _facts_and_time_left(task: Task) -> str:
    left_s = task.time_remaining
    left = f", {clock(left_s)} left" if left_s is not None else ""
    return f"{task.fields['facts']()}{left}"


def _indented(text: Text, console: Console) -> Text:
    """Break the lines of `text` for the screen; what a line goes on with stands further in."""
    broken: list[Text] = []
    for line in text.split():
        first = line.wrap(console, console.width)[0]
        first.rstrip()
        rest = line[len(first) :]
        begins = len(rest.plain) - len(rest.plain.lstrip())
        indent = " " * (len(line.plain) - len(line.plain.lstrip()) + 2)
        broken.append(first)
        if rest:
            others = rest[begins:].wrap(console, max(1, console.width - len(indent)))
            broken += [Text(indent).append_text(other) for other in others]
    return Text("\n").join(broken)


def _shortened(name: str, most: int = _NAME_CHARS) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
