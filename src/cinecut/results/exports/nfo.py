"""Writes what Kodi and Jellyfin read beside a film: its title, plot and length."""

from __future__ import annotations

from pathlib import PurePath

from cinecut.results import presentation
from cinecut.results.exports.xml_text import xml_text
from cinecut.results.scenes import Results
from cinecut.results.summary import summary_of


def to_nfo(results: Results) -> str | None:
    """Return the film as the `movie` of an NFO file; None where no synopsis was told.

    Nobody here knows year, cast or ratings, so there are none.
    """
    summary = summary_of(results)
    sentences = [one.text for one in summary.synopsis] if summary else []
    if not sentences:
        return None
    length_s = presentation.duration_s(results)
    fields = {
        "title": PurePath(presentation.film_name(results.run)).stem,
        "outline": sentences[0],
        "plot": " ".join(sentences),
        **({"runtime": f"{max(1, round(length_s / 60))}"} if length_s else {}),
    }
    lines = "".join(f"  <{name}>{xml_text(text)}</{name}>\n" for name, text in fields.items())
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        "<!-- Told by a model from single frames of the film. -->\n"
        f"<movie>\n{lines}</movie>\n"
    )
