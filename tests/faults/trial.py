"""Puts one fault into one run of CineCut, and holds what comes out against what should."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from faults import nvidia_smi
from faults.journal_file import JournalFile
from faults.running import Bench, Film, Run, TooLateError


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and what CineCut owes its user then."""

    name: str
    expected: str
    """In words, for the table."""
    exits: frozenset[int]
    """Exit codes; below zero for the signal that ended it."""
    says: str = ""
    """Pattern that must stand in what it says on stderr."""
    skips: frozenset[str] = frozenset()
    """Reasons for which frames may be without a description in the end."""
    mock: str = ""
    """CINECUT_MOCK_FAULT; `{n}` and `{m}` are requests, drawn, and `{log}` is a size."""
    strikes_once: bool = True
    """Whether servers that take over do not show it again."""
    strike: Callable[[Trial], None] | None = None
    """What is done to the run while it is under way."""
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    shell: str = ""
    """Script that runs the command, which is "$@" to it."""
    nvidia_smi: str | Callable[[Path], str] | None = None
    """Script of the nvidia-smi on the PATH; None for no such program."""
    in_terminal: bool = False
    into_pipe: bool = False
    """Whether its stdout has a reader."""
    is_resumed: bool = True
    """Whether the same command does better when the fault is gone."""
    is_for_soak: bool = False
    """Whether the tests leave it to `scripts/soak`, because they have others of its kind."""
    is_long: bool = False
    """Whether it needs the film of many keyframes."""


class Trial:
    """A fault at work: what `Fault.strike` gets."""

    def __init__(self, bench: Bench, fault: Fault, folder: Path, seed: str) -> None:
        self.bench, self.fault, self.folder = bench, fault, folder
        self.random = random.Random(f"{fault.name} {seed}")
        self.film: Film = bench.long_film if fault.is_long else bench.film
        self.resources = ExitStack()
        """What `strike` opens is closed at the trial's end."""
        self.before_resuming = ExitStack()
        """What `strike` did to the machine is undone before the run is resumed."""
        self.llama_server: Path | None = None
        """What runs in the place of the mock."""
        self.problems: list[str] = []
        self.run: Run

    def pause(self, most_s: float) -> None:
        """Wait for a time that is drawn."""
        time.sleep(self.random.uniform(0, most_s))

    def new_run(self, *, film: Film | None = None, folder: Path | None = None) -> Run:
        """Start a run without the fault that shares the GPU with the one under test."""
        run = Run(
            self.bench.model,
            folder or self.folder,
            (film or self.film).path,
            home=self.folder / "home",
        )
        return self.resources.enter_context(run)

    def start(self) -> None:
        """Start the run that the fault is for."""
        # So far apart that both are not about the same frame, the second time asked again.
        fault, first = self.fault, self.random.randint(1, 5)
        environment = dict(fault.environment)
        environment["CINECUT_MOCK_FAULT"] = fault.mock.format(
            n=first, m=first + self.random.randint(4, 6), log=self.bench.log_size
        )
        environment["CINECUT_MOCK_SEED"] = str(self.random.random())
        if fault.strikes_once:
            environment["CINECUT_MOCK_ONCE"] = str(self.folder / "shown")
        script = fault.nvidia_smi(self.folder) if callable(fault.nvidia_smi) else fault.nvidia_smi
        self.run = self.resources.enter_context(
            Run(
                self.bench.model,
                self.folder,
                self.film.path,
                *fault.options,
                environment=environment,
                nvidia_smi=nvidia_smi.write(self.folder / "bin", script),
                llama_server=self.llama_server,
                shell=fault.shell,
                in_terminal=fault.in_terminal,
                into_pipe=fault.into_pipe,
            )
        )


@dataclass(frozen=True)
class Verdict:
    """How one trial went."""

    seen: str
    problems: list[str]
    seconds: float


def try_fault(bench: Bench, fault: Fault, folder: Path, seed: str) -> Verdict:
    """Run one trial of `fault` in `folder`, which is removed if all is well."""
    began_s = time.monotonic()
    folder.mkdir(parents=True)
    trial = Trial(bench, fault, folder, seed)
    seen = "nothing"
    try:
        with trial.resources, trial.before_resuming:
            seen = _watch(trial)
    except (AssertionError, TooLateError) as error:
        trial.problems.append(f"{type(error).__name__}: {error}")
    if not trial.problems:
        shutil.rmtree(folder)
    return Verdict(seen, trial.problems, time.monotonic() - began_s)


def _watch(trial: Trial) -> str:
    fault, problems = trial.fault, trial.problems
    if fault.strike is None:
        trial.start()
    else:
        fault.strike(trial)
    run = trial.run
    code = run.wait()
    said = run.stderr
    problems += run.left()
    journal = run.journal
    problems += journal.problems
    if code not in fault.exits:
        problems.append(f"exit code {code}, not {sorted(fault.exits)}; it says: {said[-600:]}")
    if "Traceback" in said or "Exception ignored" in said:
        problems.append(f"a traceback: {said[-1200:]}")
    if fault.says and not re.search(fault.says, said):
        problems.append(f"it does not say {fault.says!r}: {said[-600:]}")
    if code == 0 and not journal.is_finished:
        problems.append("exit code 0, and the journal is not finished")
    seen = f"exit {code}"
    if journal.run is None and trial.bench.is_short:
        return f"{seen}, nothing begun"
    if not fault.is_resumed:
        return f"{seen}, nothing begun"
    if not journal.is_finished:
        trial.before_resuming.close()
        seen += ", resumed"
        journal = _resume(trial)
    problems += _compare(trial, journal)
    skipped = ", ".join(sorted(journal.skipped))
    return f"{seen}, skipped: {skipped}" if skipped else f"{seen}, whole"


def _resume(trial: Trial) -> JournalFile:
    with trial.new_run() as again:
        code = again.wait()
        trial.problems += again.left()
        journal = again.journal
        if code != 0 or not journal.is_finished:
            trial.problems.append(f"resumed: exit code {code}; it says: {again.stderr[-600:]}")
        if "Traceback" in again.stderr:
            trial.problems.append(f"resumed: a traceback: {again.stderr[-1200:]}")
    return journal


def _compare(trial: Trial, journal: JournalFile) -> list[str]:
    """Hold the scenes against those of an undisturbed run."""
    problems = list(journal.problems)
    expected = trial.film.scenes
    if journal.scenes.keys() != expected.keys():
        problems.append(f"scenes {sorted(journal.scenes)} of {sorted(expected)}")
    for index, scene in journal.scenes.items():
        skip = scene["skipped"]
        if skip and skip["reason"] not in trial.fault.skips:
            problems.append(f"scene {index} was skipped: {skip}")
        elif not skip and scene != expected.get(index):
            problems.append(f"scene {index} is {scene}, not {expected.get(index)}")
    return problems
