"""Describes a batch of films on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cinecut.errors import CineCutError
from cinecut.results.exports.formats import chosen, write_index
from cinecut.run.outcomes import Batch
from cinecut.run.session import Observer, Session
from cinecut.run.settings import RunSettings

INDEX_NAME: Final = "cinecut-index.html"


def describe_batch(
    films: Sequence[Path],
    settings: RunSettings,
    observer: Observer,
    is_cancelled: Callable[[], bool],
) -> Batch:
    """Describe `films`; one film's failure does not stop the next.

    Raises:
        ModelError: A model file cannot be used; nothing was begun.
        InferenceError: No server answers at the address given; nothing was begun.
        KeyboardInterrupt: `is_cancelled` said so; the journals keep what there is.
    """
    batch = Batch()
    with Session(settings, observer, is_cancelled) as session:
        try:
            for outcome in session.describe(films):
                batch.outcomes.append(outcome)
        except CineCutError as error:
            batch.error = error
    write_index_of(batch, settings)
    return batch


def write_index_of(batch: Batch, settings: RunSettings) -> None:
    """Write the page that leads to all storyboards, where several were asked for."""
    folders = batch.completed
    if len(folders) > 1 and "html" in chosen(settings.formats):
        common = Path(os.path.commonpath([folder.parent for folder in folders]))
        try:
            batch.index = write_index(folders, common / INDEX_NAME)
        except CineCutError as error:
            batch.error = batch.error or error
