"""What the user sees of a question: its answer, with links to the scenes that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.style import Style
from rich.text import Text

from cinecut.cli.terminal import Terminal
from cinecut.results.page.index_page import storyboard_link
from cinecut.results.presentation import timecode
from cinecut.run.question import Cited
from cinecut.story.question import Asked, FoundScene
from cinecut.text import printable


class AnswerView:
    """Shows the answer to one question: on a terminal sentence by sentence, elsewhere whole."""

    def __init__(self, terminal: Terminal, question: str, asked: Asked, model: str) -> None:
        """Take the terminal to show it on, the question, what is asked, and of which model."""
        self._terminal, self._question, self._asked = terminal, question, asked
        self._model = model
        self._films = {each.film.folder for each in asked.scenes.values()}
        self._shown: list[Cited] = []

    def show_begin(self) -> None:
        """Say what the model reads, and follow it with the live line."""
        scenes, films = len(self._asked.scenes), len(self._films)
        what = f"{scenes:,} scene{'s' * (scenes != 1)} of {films:,} film{'s' * (films != 1)}"
        self._terminal.tell(f"{self._model} reads {what} ...", style="dim")
        self._terminal.follow(self._model, lambda: f"reads {what}")

    def show_begun(self, sentences: Sequence[Cited]) -> None:
        """Show what is there so far, where somebody looks."""
        if self._terminal.is_watched:
            self._show_more(sentences)

    def show_answer(self, sentences: Sequence[Cited]) -> None:
        """Show the whole answer, or what of it was not shown yet."""
        self._terminal.unfollow()
        entry = answer_to_dict(self._question, sentences, self._model)
        if self._terminal.is_json:
            self._terminal.data(entry, Text())
        elif sentences:
            self._show_more(sentences)
        else:
            self._terminal.data(entry, Text("The scenes that were found do not tell."))

    def _show_more(self, sentences: Sequence[Cited]) -> None:
        if [*sentences[: len(self._shown)]] != self._shown:
            self._terminal.tell("That went wrong; asked once more:", style="dim")
            self._shown = []
        for cited in sentences[len(self._shown) :]:
            self._terminal.data({}, self._text(cited))
        self._shown = [*sentences]

    def _text(self, cited: Cited) -> Text:
        text = Text(printable(cited.text))
        film = None
        for each in cited.scenes:
            is_named = len(self._films) > 1 and each.film is not film
            text.append(f"  {printable(each.film.name)}" if is_named else "", style="bold")
            film = each.film
            text.append(" ")
            text.append(timecode(each.scene.keyframe.timestamp_s), style=_time_style(each))
        return text


def answer_to_dict(question: str, sentences: Sequence[Cited], model: str | None) -> dict[str, Any]:
    """Return a question and its answer as an object of JSON."""
    answer = [
        {"text": cited.text, "scenes": [_scene_to_dict(each) for each in cited.scenes]}
        for cited in sentences
    ]
    return {"question": question, "answer": answer, "model": model}


def _scene_to_dict(found: FoundScene) -> dict[str, Any]:
    return {
        "film": found.film.name,
        "results": str(found.film.folder),
        "index": found.scene.index,
        "timestamp_s": found.scene.keyframe.timestamp_s,
    }


def _time_style(found: FoundScene) -> Style:
    return Style(color="cyan", link=storyboard_link(found.film.folder, found.scene.index))
