"""Asks a model about text alone, with the engine that describes pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from cinecut.inference.asking import AskingError, ask_server
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.question.attempts import Attempts
from cinecut.inference.question.form import Form, question
from cinecut.inference.summaries import Retelling
from cinecut.models import Skip

_USUAL_CONTEXT_TOKENS: Final = 4096  # of a server that does not tell
_REPLY_SHARE: Final = 0.4  # of the context: no reply has more
_TIMEOUT_S: Final = 30.0
_SPARE_TOKENS: Final = 8  # a text may be cut into other tokens where it meets the template
_UNKNOWN_AROUND_TOKENS: Final = 128


class Reteller:
    """What an engine has to say about texts; any number of threads may ask.

    The slots are those that were planned for pictures: nothing is loaded anew, and what is asked
    has to fit into the context that they have.
    """

    def __init__(self, engine: LlavaEngine, timeout_s: float) -> None:
        """Take an engine inside its block, and the seconds for all the asking about one text."""
        self._engine, self._timeout_s = engine, timeout_s

    @property
    def slots(self) -> int:
        """How many texts the server works on at once."""
        return self._engine.slots

    @property
    def language(self) -> str:
        """The language of the replies."""
        return self._engine.prompt.language

    @property
    def context_tokens(self) -> int:
        """The context that a request has to itself, in tokens, as far as anybody tells."""
        plan = self._engine.plan
        return (plan.context_per_slot if plan else 0) or _USUAL_CONTEXT_TOKENS

    def fitted(self, form: Form) -> Form | None:
        """Return `form` so small that its reply leaves room for a text; None if it cannot be."""
        most = int(self.context_tokens * _REPLY_SHARE)
        return form.within(most, ascii_only=self._engine.prompt.ascii_only)

    def fits(self, text: str, form: Form) -> bool:
        """Say whether `text` and any reply to it have room in a slot."""
        reply = form.reply_tokens(self._engine.prompt)
        return self._around + self._count(text) + reply <= self.context_tokens

    def retell(
        self, text: str, form: Form, follow: Callable[[str], None] | None = None
    ) -> Retelling | Skip:
        """Return what the model says to a text that fits, or why it says nothing.

        A bad reply is asked for once more, and a server that is lost is started anew, as for
        pictures. `follow` is told the words of each reply as they come.

        Raises:
            InferenceError: Nothing more can be asked.
        """
        engine = self._engine
        return engine.ask(
            Attempts[Retelling](self._timeout_s, follow),
            lambda attempts: form.body(engine.prompt, text, attempts.seed, engine.model_name),
            form.read,
        )

    @cached_property
    def _around(self) -> int:
        """What the chat template puts around a text, in tokens."""
        rendered = self._told("/apply-template", question(self._engine.prompt, "?")).get("prompt")
        if not isinstance(rendered, str):
            return _UNKNOWN_AROUND_TOKENS
        return self._count(rendered) + _SPARE_TOKENS

    def _count(self, text: str) -> int:
        """Return the tokens by the server's own count; where it has none, one for two bytes."""
        tokens = self._told("/tokenize", {"content": text}).get("tokens")
        return len(tokens) if isinstance(tokens, list) else len(text.encode()) // 2

    def _told(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        root, key = self._engine.place()
        try:
            reply = ask_server(f"{root}{path}", key, body, timeout_s=_TIMEOUT_S)
        except AskingError:
            return {}
        return reply if isinstance(reply, dict) else {}
