"""`cinecut keyframes`: films in, pictures and their times out, without a model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cinecut.cli import arguments, options
from cinecut.cli.boundary import DONE, FAILED, PARTLY_DONE, exit_codes, interruptible, print_error
from cinecut.errors import CineCutError

if TYPE_CHECKING:
    from cinecut.cli.terminal import Terminal
    from cinecut.film.keyframes import KeyframeSettings


def keyframes(
    films: options.Films,
    recursive: options.Recursive = False,
    subtitles: options.Subtitles = None,
    no_subtitles: options.NoSubtitles = False,
    subtitle_language: options.SubtitleLanguage = None,
    output_dir: options.OutputDir = None,
    scan: options.ScanOption = options.Scan.FULL,
    interval: options.Interval = 30.0,
    scene_threshold: options.SceneThreshold = None,
    max_frames: options.MaxFrames = None,
    keep_duplicates: options.KeepDuplicates = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Pick keyframes: the pictures and keyframes.jsonl, without a model."""
    from cinecut.cli.terminal import Terminal
    from cinecut.run.jobs import results_folder

    with exit_codes():
        settings = arguments.keyframe_settings(
            scan=scan,
            interval=interval,
            scene_threshold=scene_threshold,
            max_frames=max_frames,
            keep_duplicates=keep_duplicates,
            subtitles=subtitles,
            no_subtitles=no_subtitles,
            subtitle_language=subtitle_language,
        )
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)
        named, roots = arguments.listed_films(
            films, recursive=recursive, output_dir=output_dir, subtitles=subtitles
        )
        failed = 0
        with interruptible() as is_cancelled:
            for film in named:
                try:
                    with terminal.live():
                        folder = results_folder(film, output_dir, roots)
                        _pick(film, folder, settings, terminal, is_cancelled)
                except CineCutError as error:
                    print_error(error)
                    failed += 1
        raise typer.Exit(DONE if not failed else PARTLY_DONE if failed < len(named) else FAILED)


def _pick(
    film: Path,
    folder: Path,
    settings: KeyframeSettings,
    terminal: Terminal,
    is_cancelled: Callable[[], bool],
) -> None:
    from rich.text import Text

    from cinecut.film.keyframes import KeyframeScan
    from cinecut.results.keyframe_list import keyframe_to_dict, write_keyframes
    from cinecut.results.presentation import clock, timecode
    from cinecut.run.jobs import FRAMES_NAME

    began_s = time.monotonic()
    with KeyframeScan(film, folder / FRAMES_NAME, settings, is_cancelled=is_cancelled) as scan:
        terminal.follow(film.name, lambda: f"{scan.report.found} keyframes")
        for record in write_keyframes(folder, scan):
            line = (
                f"{timecode(record.timestamp_s)}  {record.source}  {Path(record.frame_path).name}"
            )
            terminal.data({"film": film.name, **keyframe_to_dict(record)}, Text(line))
            terminal.advance(scan.report.position_s, scan.info.duration_s)
        if is_cancelled():
            raise KeyboardInterrupt
        report = scan.report
    for notice in report.notices:
        terminal.notice(f"{film.name}: {notice}")
    merged = f", {report.merged} near-duplicates merged" if report.merged else ""
    terminal.tell(
        f"{film.name}: {report.found} keyframes{merged} in {clock(time.monotonic() - began_s)}. "
        f"Results: {folder}",
        style="bold",
    )
