"""Keeps the journals of the films under way: which scene is written when, and with whose words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from cinecut.errors import InferenceError, OutputError
from cinecut.models import Skip
from cinecut.results.exports.formats import export
from cinecut.results.journal import Journal
from cinecut.results.scenes import Scene
from cinecut.run.events import FilmEnded, SceneDone
from cinecut.run.parts import parts_of_film
from cinecut.run.pipeline import Answer, Task
from cinecut.run.work import FilmWork

MOST_EQUAL_SKIPS: Final = 20
"""So many skips in a row for one reason end the run: the fault is not in the frames."""

Written = tuple[Task, SceneDone]
"""A scene that is in its journal, and whose turn it was."""


@dataclass
class Streak:
    """The last skips in a row: their reason, and how many there are; over many films."""

    reason: str = ""
    length: int = 0


class Books:
    """The journals, and what is not written yet: the last skips, and scenes that wait for others.

    A skip is held back until something else comes. When too many come in a row for one reason the
    fault is not in the frames, and a later run is to ask about them again.

    A keyframe that looks the same as an earlier one takes that one's description; while that is
    under way it waits, and if it comes to nothing the model is asked about this one.
    """

    def __init__(self, formats: Sequence[str], streak: Streak, ask: Callable[[Task], None]) -> None:
        """Take the exports to write, the skips of films before, and who asks the model."""
        self.journals: dict[FilmWork, Journal] = {}
        self._formats, self._streak, self._ask = formats, streak, ask
        self._held_back: list[tuple[Task, Scene]] = []
        self._waiting: dict[tuple[FilmWork, int], list[Task]] = {}
        """Keyframes that wait for one of their film that looks the same, by its place."""

    def enter(self, answer: Answer) -> Iterator[Written]:
        """Take an answer, and tell of the scenes that are in the journals now.

        Raises:
            InferenceError: There were too many equal skips in a row.
        """
        task, outcome = answer.task, answer.outcome
        task.work.answered += 1
        task.work.stages.add("asking", answer.elapsed_s)
        description, skip = (None, outcome) if isinstance(outcome, Skip) else (outcome, None)
        scene = Scene(
            *(task.index, task.record, description, skip, answer.elapsed_s),
            dialogue=task.dialogue,
            moments=tuple(moment.timestamp_s for moment in task.moments),
        )
        task.work.done[task.index] = scene
        if skip is None:
            self._streak.reason, self._streak.length = "", 0
            self._held_back.append((task, scene))
            yield from self._write_held_back()
        else:
            yield from self._hold_back(task, scene, skip)
        for waiting in self._waiting.pop((task.work, task.index), []):
            yield from self.repeat(waiting)

    def repeat(self, task: Task) -> Iterator[Written]:
        """Give a keyframe the description of the first one that looks the same."""
        work = task.work
        assert task.first is not None
        place = work.stand_ins.get(task.first, task.first)
        first = work.done.get(place)
        if first is None:
            self._waiting.setdefault((work, place), []).append(task)
        elif first.description is None:
            work.stand_ins[task.first] = task.index
            self._ask(task)
        else:
            scene = Scene(
                *(task.index, task.record, first.description, None, 0.0, place), task.dialogue
            )
            work.same += 1
            work.done[task.index] = scene
            yield from self._write([(task, scene)], first)

    def close(self, work: FilmWork) -> tuple[list[Written], FilmEnded]:
        """Close the books of a film whose last answer has come."""
        self._look_for_a_film_without_descriptions(work)
        written = list(self._write_held_back())
        with closing(self.journals.pop(work)) as journal:
            try:
                with work.stages.spent("writing"):
                    _finish(work, journal, self._formats)
            except OutputError as error:
                work.error = error
        work.elapsed_s = time.monotonic() - work.began_s
        return written, FilmEnded(work.outcome())

    def _hold_back(self, task: Task, scene: Scene, skip: Skip) -> Iterator[Written]:
        if skip.reason != self._streak.reason:
            if task.work.described or task.work.earlier:
                yield from self._write_held_back()
            self._streak.reason, self._streak.length = skip.reason, 0
        self._held_back.append((task, scene))
        self._streak.length += 1
        if self._streak.length >= MOST_EQUAL_SKIPS:
            raise InferenceError(
                f"{self._streak.length} frames in a row were skipped as {skip.reason}. "
                f"The last one: {skip.detail}",
                tip="Mend that and run the same command again: it asks about them again.",
            )

    def _look_for_a_film_without_descriptions(self, work: FilmWork) -> None:
        """Let a film fail of which no frame was described, and write none of the skips."""
        skips = [
            scene.skipped for of, scene in self._held_back if of.work is work and scene.skipped
        ]
        is_all = len(skips) == work.answered and not work.earlier
        reasons = {skip.reason for skip in skips}
        if is_all and reasons - {"bad_image"}:
            self._held_back = [(of, scene) for of, scene in self._held_back if of.work is not work]
            which = "The only frame was" if len(skips) == 1 else f"All {len(skips)} frames were"
            work.error = work.error or InferenceError(
                f"{which} skipped as {' or '.join(sorted(reasons))}. "
                f"The last one: {skips[-1].detail}",
                tip="Mend that and run the same command again: it asks about them again.",
            )

    def _write_held_back(self) -> Iterator[Written]:
        held_back, self._held_back = self._held_back, []
        yield from self._write(held_back)

    def _write(
        self, scenes: Sequence[tuple[Task, Scene]], first: Scene | None = None
    ) -> Iterator[Written]:
        """Write first and tell then: who listens may leave in the middle."""
        written = []
        for task, scene in scenes:
            work = task.work
            if work.error is None:
                try:
                    with work.stages.spent("writing"):
                        self.journals[work].append(scene, first)
                except OutputError as error:  # the disk is full: no line must join a torn one
                    work.error = error
            if work.error is None:
                if scene.skipped:
                    work.skipped[scene.skipped.reason] += 1
                elif first is None:
                    work.described += 1
                written.append((task, SceneDone(work.outcome(), scene)))
        yield from written


def _finish(work: FilmWork, journal: Journal, formats: Sequence[str]) -> None:
    """Note that a film is complete, and write its exports."""
    if work.error is None and work.scan is not None:
        report, scenes = work.scan.report, journal.in_film_order()
        parts = parts_of_film(work, scenes)
        # Of a joined recording the length is known now.
        details = {**journal.run.details, "duration_s": work.scan.info.duration_s}
        journal.run = replace(journal.run, details=details)
        descriptions = [scene.description for scene in scenes if scene.description]
        work.shortened = sum(1 for description in descriptions if description.shortened)
        work.circular = sum(1 for description in descriptions if description.repeats_itself)
        journal.finish(
            {
                "scenes": len(scenes),
                "skipped": sum(1 for scene in scenes if scene.skipped),
                "same_as_others": sum(1 for scene in scenes if scene.same_as is not None),
                "shortened": work.shortened,
                "repeat_themselves": work.circular,
                "merged": report.merged,
                "damaged": report.damaged,
                "approximate": report.approximate,
                "parts": parts[-1] + 1 if parts else 0,
                "seconds": work.seconds(),
            },
            parts,
        )
        notices: list[str] = []
        work.exports = export(journal.folder, formats, notices.append)
        work.notices += tuple(notices)
