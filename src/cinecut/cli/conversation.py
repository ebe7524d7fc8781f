"""Answers one question after the other with one server, which is started for the first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from rich.text import Text

from cinecut.cli.ask_view import AnswerView, answer_to_dict
from cinecut.cli.describe_view import DescribeView
from cinecut.cli.search_view import SearchView
from cinecut.cli.terminal import Terminal
from cinecut.errors import InferenceError, UsageError
from cinecut.models import Skip
from cinecut.run.question import Moment, answer, scenes_at
from cinecut.run.session import Session
from cinecut.run.settings import RunSettings
from cinecut.search import Library
from cinecut.story.question import Film, word

_MOST_SCENES: Final = 200


class Conversation:
    """Questions about the films of a library; leaving the block ends the server.

    Each is asked alone: in what a slot has room for, scenes say more than earlier answers, and an
    answer that rests on another rests on no scene.
    """

    def __init__(
        self,
        library: Library,
        settings: Callable[[Film], RunSettings],
        terminal: Terminal,
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Take where scenes are found, and who answers, by the film of the first."""
        self._library, self._settings = library, settings
        self._terminal, self._is_cancelled = terminal, is_cancelled
        self._session: Session | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Conversation:
        """Start nothing yet: a question that nothing is found for needs no server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, if there is one."""
        self._resources.close()

    def ask(self, question: str) -> None:
        """Answer a question.

        Raises:
            UsageError: It has no word, or no room beside a scene.
            InferenceError: The model could not be brought to answer.
            CineCutError: The server cannot be started.
            KeyboardInterrupt: The user said so.
        """
        hits = self._library.search(question, _MOST_SCENES)
        found = scenes_at(
            Moment(hit.folder, hit.timestamp_s, hit.chapter is not None) for hit in hits
        )
        if not found:
            SearchView(self._terminal).show_nothing(question, self._library.films)
            if self._terminal.is_json:
                self._terminal.data(answer_to_dict(question, [], None), Text())
            return
        session = self._session = self._session or self._started(found[0].film)
        with self._terminal.live():
            reteller = session.reteller("answering a question")
            asked = word(question, found, reteller)
            if asked is None:
                raise UsageError("The question is too long.", tip="Ask it in fewer words.")
            view = AnswerView(self._terminal, question, asked, session.model_name)
            view.show_begin()
            try:
                told = answer(asked, reteller, self._is_cancelled, view.show_begun)
            finally:
                self._terminal.unfollow()
        if isinstance(told, Skip):
            raise InferenceError(
                f"The model could not be brought to answer ({told.reason}): {told.detail}",
                tip="Ask in other words, or another model: --model NAME",
            )
        view.show_answer(told)

    def _started(self, film: Film) -> Session:
        session = Session(self._settings(film), DescribeView(self._terminal), self._is_cancelled)
        return self._resources.enter_context(session)
