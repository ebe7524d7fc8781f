"""What the user sees of models: the list of them, and how a download goes on."""

from __future__ import annotations

import time
from typing import Any, Final

from rich.text import Text

from cinecut.cli.terminal import Terminal
from cinecut.errors import MachineError
from cinecut.model_store.catalogue import CatalogueModel
from cinecut.model_store.fitting import Advice, advise, fits
from cinecut.model_store.hardware import Hardware
from cinecut.model_store.pull import Progress, Wanted
from cinecut.model_store.search import PACKAGE, FoundModel, KnownModel
from cinecut.text import printable, without_home

_STEP_S: Final = 0.1
_ONE_DIGIT_OF_GB_BYTES: Final = 10**8


class PullView:
    """Shows on a terminal how a pull goes on."""

    def __init__(self, terminal: Terminal, wanted: Wanted) -> None:
        """Say what is wanted."""
        self._terminal = terminal
        self._now = Progress("", "loading", 0, 0)
        self._first_bytes, self._first_s, self._shown_s = 0, 0.0, 0.0
        if wanted.entry:
            terminal.tell(f"{wanted.name}: {_costs(wanted.entry)}")
            if wanted.entry.terms:
                terminal.notice(wanted.entry.terms)

    def follow(self, progress: Progress) -> None:
        """Show how far the work on a file is."""
        before, self._now, now_s = self._now, progress, time.monotonic()
        if (before.file, before.step) != (progress.file, progress.step):
            self._first_bytes, self._first_s = progress.done_bytes, now_s
            if progress.step == "loading":
                does = "goes on" if progress.done_bytes else "begins"
                self._terminal.tell(f"{progress.file} {does}: {_of_all(progress)}")
            self._terminal.follow(progress.file, self._facts)
        elif now_s < self._shown_s + _STEP_S and progress.done_bytes < progress.total_bytes:
            return
        self._shown_s = now_s
        self._terminal.advance(progress.done_bytes, progress.total_bytes)

    def end(self, found: FoundModel) -> None:
        """Say where the model lies."""
        folder = without_home(str(found.model.parent))
        self._terminal.tell(f"{found.name} is here: {folder}", style="bold")
        if self._terminal.is_json:
            self._terminal.data(as_dict(KnownModel(found.name, found.entry, found)), Text())

    def _facts(self) -> str:
        now = self._now
        if now.step == "comparing":
            return f"comparing the checksum, {_of_all(now)}"
        rate = (now.done_bytes - self._first_bytes) / max(time.monotonic() - self._first_s, 0.001)
        return f"{_of_all(now)}, {rate / 1e6:.1f} MB/s"


class ListView:
    """Shows models, and which of them fit a machine."""

    def __init__(self, terminal: Terminal, hardware: Hardware) -> None:
        """Choose for the machine, or say that none fits it."""
        self._terminal, self._hardware = terminal, hardware
        self._advice: Advice | None = None
        try:
            self._advice = advise(hardware)
        except MachineError as error:
            terminal.notice(error.detail)

    def show(self, model: KnownModel) -> None:
        """Show one model."""
        entry, advice = model.entry, self._advice
        why = advice.why if advice and advice.entry == entry else None
        does_fit = fits(entry, self._hardware) if entry else None
        verdict = ""
        if why:
            verdict = f"for this machine: {why}"
        elif entry and does_fit:
            is_slow = self._hardware.place == "CPU" and entry.from_ram_mib is None
            verdict = "fits, but slow" if is_slow else "fits"
        elif does_fit is False:
            verdict = "does not fit"
        facts = {"default": why is not None, "why": why, "fits": does_fit}
        self._terminal.data({**as_dict(model), **facts}, _as_text(model, verdict))


def as_dict(model: KnownModel) -> dict[str, Any]:
    """Return what is known of a model, as JSON takes it; null for what is not."""
    entry, found = model.entry, model.found
    return {
        "name": model.name,
        "here": found is not None,
        "place": found.place if found else None,
        "model": str(found.model) if found else None,
        "mmproj": str(found.mmproj) if found and found.mmproj else None,
        "size_bytes": found.size_bytes if found else entry.size_bytes if entry else None,
        "size_is_exact": found is not None or (entry is not None and entry.is_size_exact),
        "memory_mib": entry.memory_mib if entry else None,
        "licence": entry.licence if entry else None,
        "terms": (entry.terms or None) if entry else None,
        "about": entry.about if entry else None,
        "repo": entry.repo if entry else None,
        "files": [entry.model_file, entry.mmproj_file] if entry else None,
    }


def _as_text(model: KnownModel, verdict: str) -> Text:
    """Return the same for a person: name, whether it fits, and indented lines about it."""
    entry, found = model.entry, model.found
    text = Text(printable(model.name), style="bold")
    if verdict:
        text.append(f"  {verdict}", style="not bold cyan")
    if found:
        text.append("  here", style="not bold green")
    lines = [entry.about, _costs(entry)] if entry else []
    if entry and entry.terms:
        lines.append(entry.terms)
    if found and found.place == PACKAGE:
        lines.append(
            "A toy that names light, colours and detail; used where it is named: --model demo"
        )
    if found:
        size = f"{_size(found.size_bytes)} in the {found.place}"
        lines.append(f"{size}: {printable(without_home(str(found.model.parent)))}")
        if found.mmproj is None:
            lines.append("It has no mmproj beside it, or several: name its own with --mmproj FILE.")
    for line in lines:
        text.append(f"\n    {line}", style="not bold")
    return text


def _costs(entry: CatalogueModel) -> str:
    about = "" if entry.is_size_exact else "about "
    return (
        f"{about}{entry.size_bytes / 1e9:.1f} GB to load, {entry.memory_mib / 1024:.1f} GiB of "
        f"memory, {entry.licence}"
    )


def _size(size_bytes: int) -> str:
    is_large = size_bytes >= _ONE_DIGIT_OF_GB_BYTES
    return f"{size_bytes / 1e9:.1f} GB" if is_large else f"{size_bytes / 1e6:.1f} MB"


def _of_all(progress: Progress) -> str:
    unit, digits = (1e9, 2) if progress.total_bytes >= 1e9 else (1e6, 0)
    done, total = (count / unit for count in (progress.done_bytes, progress.total_bytes))
    return f"{done:.{digits}f} of {total:.{digits}f} {'GB' if digits else 'MB'}"
