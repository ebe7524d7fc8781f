"""The journal: one line a scene, written as it comes, resumed by the next run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from filelock import FileLock, Timeout

from cinecut.errors import OutputError
from cinecut.files import open_file, refuse_special, replacing
from cinecut.results.entries import SummaryEntry, lines_of
from cinecut.results.scenes import (
    JOURNAL_NAME,
    Results,
    Run,
    Scene,
    parse_line,
    read_first_line,
    read_results,
    run_to_line,
    scene_to_line,
    step_to_line,
    time_key,
)

PREVIOUS_NAME: Final = "scenes.previous.jsonl"
_LOCK_NAME: Final = ".lock"
_BLOCK_BYTES: Final = 1 << 16


class Journal:
    """The open journal of one film's run; a context manager.

    What is written stays: a killed process loses the line it was writing at the most. While the
    block is open no other process can open the same journal.
    """

    def __init__(
        self, folder: Path, run: Run, *, fresh: bool = False, patience_s: float = 0.0
    ) -> None:
        """Take the results folder, made when the block is entered, and the run to do.

        Args:
            folder: The film's results folder.
            run: What is to be done. A journal of the same work is resumed; another one is kept
                as `scenes.previous.jsonl` and a new one begun.
            fresh: Begin a new one in any case.
            patience_s: How long to wait for another process that has it open.
        """
        self.folder, self.run = folder, run
        self.path = folder / JOURNAL_NAME
        self.scenes: dict[int, Scene] = {}
        """What is in the journal, by the timestamp of the keyframe in milliseconds."""
        self.steps: list[SummaryEntry] = []
        """What has been told of many scenes together."""
        self.replaced_another_run = False
        self.passed_over = 0
        """Lines of a resumed journal that are no entry."""
        self._firsts: dict[int, int] = {}
        """Of scenes that look like an earlier one, that one, both by their timestamps."""
        self._fresh, self._patience_s = fresh, patience_s
        self._lock = FileLock(folder / _LOCK_NAME, thread_local=False)
        self._file: BinaryIO | None = None

    def __enter__(self) -> Journal:
        """Open the journal, as `open` does."""
        return self.open()

    def open(self) -> Journal:
        """Open the journal until `close`, and return it.

        Raises:
            OutputError: The folder cannot be written, or another process has this journal open.
        """
        with _told_as_output_error(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            refuse_special(self.folder / _LOCK_NAME)
            try:
                self._lock.acquire(timeout=self._patience_s)
            except Timeout as error:
                raise OutputError(
                    self.folder,
                    "Another process is describing this film into the same folder.",
                    check="Other terminals, for a cinecut that still runs.",
                    tip="Wait for it, or choose another place: --output-dir DIR",
                ) from error
            try:
                self._open()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the journal."""
        self.close()

    def close(self) -> None:
        """Close the journal and let others open it; doing so twice does no harm."""
        if self._file is not None:
            with suppress(OSError):  # every line has been flushed, or its error was raised
                self._file.close()
        self._lock.release()

    def find(self, timestamp_s: float) -> Scene | None:
        """Return the scene of the keyframe of this time, if it has its line already."""
        return self.scenes.get(round(timestamp_s * 1000))

    def append(self, scene: Scene, first: Scene | None = None) -> None:
        """Write a scene and hand it to the operating system.

        Args:
            scene: The scene.
            first: The one that looks the same and whose description it has, if there is one.

        Raises:
            OutputError: The disk is full, or the folder has gone.
        """
        self._write(scene_to_line(scene))
        self.scenes[time_key(scene)] = scene
        if first is not None:
            self._firsts[time_key(scene)] = time_key(first)

    def append_step(self, step: SummaryEntry) -> None:
        """Write a step to the summary, as `append` writes scenes."""
        self._write(step_to_line(step))
        self.steps.append(step)

    def in_film_order(self) -> list[Scene]:
        """Return the scenes that are in the journal, by time."""
        return [self.scenes[key] for key in sorted(self.scenes)]

    def finish(self, counts: dict[str, Any], parts: Sequence[int | None] = ()) -> None:
        """Note that the run is complete, and put the scenes into film order and number them so.

        The whole journal is written aside and renamed: until then the old one stands.

        Args:
            counts: What the run came to.
            parts: Which part of the film each scene belongs to, in film order, if that is known.

        Raises:
            OutputError: The disk is full, or the folder has gone.
        """
        self.run = replace(self.run, finished=counts)
        lines = [run_to_line(self.run)]
        lines += map(scene_to_line, self._numbered(parts or [None] * len(self.scenes)))
        lines += map(step_to_line, self.steps)
        # Synced, else a power cut may leave the new name and no text.
        with _told_as_output_error(self.path), replacing(self.path, sync=True) as file:
            file.writelines(line.encode("ascii") for line in lines)
            file.flush()
            if self._file is not None:
                self._file.close()  # Windows renames no file over an open one

    def _write(self, line: str) -> None:
        assert self._file is not None
        with _told_as_output_error(self.path):
            self._file.write(line.encode("ascii"))
            self._file.flush()

    def _numbered(self, parts: Sequence[int | None]) -> list[Scene]:
        """Return the scenes by time and numbered from 0, each with its part.

        Those of a run that another version began may have other numbers, or numbers twice.
        """
        index_of = {key: index for index, key in enumerate(sorted(self.scenes))}
        return [
            replace(
                self.scenes[key],
                index=index,
                same_as=index_of.get(self._firsts.get(key, -1)),
                part=part,
            )
            for (key, index), part in zip(index_of.items(), parts, strict=True)
        ]

    def _open(self) -> None:
        results = None if self._fresh else _readable_results(self.folder)
        if results and results.run.same_work_as(self.run):
            self.run = replace(results.run, finished=None)
            self.scenes = {time_key(scene): scene for scene in results.scenes}
            self.steps = results.steps
            by_index = {scene.index: key for key, scene in self.scenes.items()}
            self._firsts = {
                key: by_index[scene.same_as]
                for key, scene in self.scenes.items()
                if scene.same_as in by_index
            }
            self.passed_over = results.unreadable_lines
            self._file = open_file(self.path, "a+b", follow_links=False)
            _cut_torn_line(self._file)
            return
        if _is_worth_keeping(self.path):
            previous = self.folder / PREVIOUS_NAME
            refuse_special(previous, follow_links=True)  # a link itself is replaced
            self.path.replace(previous)
            self.replaced_another_run = not self._fresh
        self.path.unlink(missing_ok=True)
        self._file = open_file(self.path, "xb")
        self._file.write(run_to_line(self.run).encode("ascii"))
        self._file.flush()


def is_being_written(folder: Path) -> bool:
    """Say whether another process, or another thread, has the journal in `folder` open."""
    lock = folder / _LOCK_NAME
    if not lock.is_file() or lock.is_symlink():
        return False
    try:
        with FileLock(lock, thread_local=False).acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def read_finished_run(folder: Path) -> Run | None:
    """Return line 1 of the journal in `folder` if it tells of a complete run, in milliseconds.

    Raises:
        OutputError: What stands in the journal's place is no file.
    """
    entry = read_first_line(folder)
    return entry if isinstance(entry, Run) and entry.finished is not None else None


def _readable_results(folder: Path) -> Results | None:
    try:
        return read_results(folder)
    except OutputError:
        return None


def _is_worth_keeping(path: Path) -> bool:
    """Say whether there is more in it than runs that did nothing, and a torn line."""
    try:
        with open_file(path, follow_links=False) as journal:
            return any(
                line.endswith("\n") and not isinstance(parse_line(line), Run)
                for line in lines_of(journal)
            )
    except FileNotFoundError:
        return False


def _cut_torn_line(file: BinaryIO) -> None:
    """Cut off what stands after the last line break, so that the next line begins on its own."""
    size = end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _BLOCK_BYTES)
        file.seek(begin)
        if whole := file.read(end - begin).rfind(b"\n") + 1:
            end = begin + whole
            break
        end = begin
    if end < size:
        file.truncate(end)


@contextmanager
def _told_as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
