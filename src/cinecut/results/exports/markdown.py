"""Writes scenes as a Markdown page, for notes, wikis and pull requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from cinecut.inference.models import ON_SCREEN
from cinecut.inference.summaries import Sentence
from cinecut.results import presentation
from cinecut.results.scenes import Results, Scene
from cinecut.results.summary import summary_of
from cinecut.text import printable

# CommonMark reads a backslash before any ASCII punctuation as that character itself. These can
# begin markup anywhere; the colon and the dot are those that GitHub makes links of.
_INLINE_MARKS = re.compile(r"[\\`*_\[\]<&~$#]|:(?=//)|(?<=www)\.", re.IGNORECASE)
# These count at the start of a line only; of a list's number, the mark behind it.
_LINE_MARKS = re.compile(r"^(\d*)([+\-=>]|(?<=\d)[.)])")

_TITLES: Final = {
    **{"action": "Action", "setting": "Setting", "mood": "Mood"},
    ON_SCREEN: presentation.ON_SCREEN_LABEL,
}


def to_markdown(results: Results) -> str:
    """Return a heading, a picture and a description for each scene, skipped ones with the reason.

    The film's parts, where they are known, are headings above those.

    Nothing in a description or a film's name becomes markup, HTML or a link.
    """
    sections = [f"# {escape(presentation.film_name(results.run))}", _facts(results)]
    sections += _summary(results)
    repeats = presentation.repeats(results)
    parts = {part.scenes[0].index: part for part in presentation.parts(results)}
    for scene in results.scenes:
        if part := parts.get(scene.index):
            sections.append(f"## {presentation.part_label(part)}")
        sections.append(_section(scene, repeats.get(scene.index), "###" if parts else "##"))
    return "\n\n".join(sections) + "\n"


def escape(text: str) -> str:
    """Return `text` on one line, with every character that CommonMark would obey escaped."""
    inline = _INLINE_MARKS.sub(r"\\\g<0>", printable(text))
    return _LINE_MARKS.sub(r"\1\\\2", inline)


def _facts(results: Results) -> str:
    skipped = sum(scene.skipped is not None for scene in results.scenes)
    facts = [f"{len(results.scenes):,} scenes"]
    if (duration_s := presentation.duration_s(results)) is not None:
        facts.append(presentation.clock(duration_s))
    if skipped:
        facts.append(f"{skipped:,} skipped")
    if model := presentation.model_name(results.run):
        facts.append(f"described by {escape(model)}")
    return " · ".join(facts)


def _summary(results: Results) -> list[str]:
    """Return what the film is, where that was told, with the times that each sentence rests on."""
    summary = summary_of(results)
    if summary is None:
        return []
    clocks = {
        scene.index: presentation.clock(scene.keyframe.timestamp_s) for scene in results.scenes
    }

    def said(sentences: Sequence[Sentence]) -> str:
        return " ".join(
            f"{escape(each.text)} ({', '.join(clocks[scene] for scene in each.scenes)})"
            for each in sentences
        )

    chapters = "\n".join(
        f"- **{presentation.clock(chapter.start_s)} {escape(chapter.title)}:** {said(chapter.text)}"
        for chapter in summary.chapters
    )
    elements = "\n".join(
        f"- {escape(each.name)} ({each.kind}): {', '.join(clocks[at] for at in each.scenes)}"
        for each in summary.elements
    )
    return [piece for piece in (said(summary.synopsis), chapters, elements) if piece]


def _section(scene: Scene, repeat: tuple[Scene, int] | None, level: str) -> str:
    time = presentation.timecode(scene.keyframe.timestamp_s)
    heading = f"{level} {time} · {escape(presentation.source_label(scene))}"
    link = presentation.picture_link(scene)
    image = "*No picture.*" if link is None else f"![Frame at {time}]({link})"
    note = [f"*{presentation.repeat_label(scene, *repeat)}.*"] if repeat else []
    return "\n\n".join([heading, image, *note, *_body(scene), *_dialogue(scene)])


def _body(scene: Scene) -> list[str]:
    if scene.description is None:
        detail = scene.skipped.detail if scene.skipped else ""
        reason = presentation.skip_label(scene) or "No reason is known"
        return [f"*No description.* {escape(reason)}{': ' + escape(detail) if detail else '.'}"]
    fields = scene.description.model_dump()
    items = [
        f"- **{title}:** {escape(text)}"
        for name, title in _TITLES.items()
        if (text := fields.get(name))
    ]
    return [escape(fields["visual_content"]), "\n".join(items)]


def _dialogue(scene: Scene) -> list[str]:
    """Return what is said as one quotation, each line on its own: a backslash breaks it."""
    lines = [text for text in (escape(line.text) for line in scene.dialogue) if text]
    return ["> " + "\\\n> ".join(lines)] if lines else []
