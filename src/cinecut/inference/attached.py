"""AttachedEngine: describes with a server that somebody else has started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from cinecut.errors import InferenceError
from cinecut.inference.address import checked_key, server_root
from cinecut.inference.asking import (
    AskingError,
    BadReplyError,
    NoReplyError,
    RefusedError,
    ServerLostError,
    ask_server,
)
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.gpu.slots import SlotPlan
from cinecut.inference.model.picture_tokens import name_takes_several
from cinecut.inference.question.acceptance import takes_variables
from cinecut.inference.question.chat import wrong_key
from cinecut.inference.question.prompt import MARK_TOKENS, Prompt
from cinecut.inference.question.thinking import thinking_of
from cinecut.inference.server.rehearsal import render

_CHAT: Final = "/v1/chat/completions"
_TIMEOUT_S: Final = 15.0
_TRIAL_TOKENS: Final = MARK_TOKENS + 4  # blanks and `{}`
_SLOTS: Final = 4
_MOST_SLOTS: Final = 256  # each is a thread here
_LONGEST_NAME: Final = 256
_LARGEST_LIST_BYTES: Final = 4 << 20  # several times the list of models of a large provider


class AttachedEngine(LlavaEngine):
    """Any OpenAI-compatible server with vision: llama-server, vLLM, LM Studio, ….

    Nothing is started, no GPU is checked, and no lock is taken. The form of the reply goes as
    `response_format`, which they all know, and to a llama-server as a grammar.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        prefers: str | None = None,
        api_key: str | None = None,
        slots: int | None = None,
        prompt: Prompt | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the server's address and key.

        Args:
            url: Root address, such as `http://127.0.0.1:8080`; a `/v1` at its end is allowed.
            model: Which of the server's models; None takes the only one that it names.
            prefers: Which one, if `model` is None and the server has it.
            api_key: The key, where the server wants one.
            slots: Requests under way at once; None asks a llama-server, and gives others 4.
            prompt: What to ask.
            on_notice: Called with a sentence for the user.
            is_cancelled: Asked while the server is asked about itself; True raises
                KeyboardInterrupt.

        Raises:
            UsageError: The address or the key is none.
        """
        self.base_url = server_root(url)
        self._api_key, self._wanted_model = checked_key(api_key), model
        self._prefers = prefers
        self._on_notice, self._is_cancelled = on_notice, is_cancelled
        self._wanted_slots = slots
        given = prompt or Prompt()
        self._prompt = replace(given, uses_grammar=False, tells_template=False)
        self.program_version = "attached"
        self.on_gpu = True  # wherever it runs, it is somebody's choice; the shorter timeout holds
        self.picture_side_px = None

    def __enter__(self) -> AttachedEngine:
        """Ask the server for its model and make sure that it sees.

        Some builds tell their models to anybody, so /props is what proves the key.

        Raises:
            InferenceError: It does not answer, refuses the key, or has no vision.
        """
        self.model_name = self.read_model_name()
        self._plan_moments(name_takes_several(self.model_name), None)
        props = self._get_props()
        # llama-server alone has properties; others may refuse what they do not know.
        self._prompt = replace(self._prompt, tells_template=bool(props) or self._takes_variables())
        if "build_info" in props:
            self._prompt = self._with_grammar(str(props.get("chat_template") or ""))
        modalities = props.get("modalities")
        if isinstance(modalities, dict) and not modalities.get("vision"):
            raise InferenceError(
                "The server has no vision: it was started without an mmproj.",
                check=f"{self.base_url}/props",
                tip="Start it with --mmproj FILE.",
            )
        told = props.get("total_slots")
        told = min(told, _MOST_SLOTS) if isinstance(told, int) and told > 0 else _SLOTS
        self.slots = self._wanted_slots or told
        settings = props.get("default_generation_settings")
        context = settings.get("n_ctx") if isinstance(settings, dict) else None
        self.plan = SlotPlan(
            self.slots,
            context if type(context) is int and context > 0 else 0,
            "as asked" if self._wanted_slots else "as the server says",
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the server as it was."""

    def _takes_variables(self) -> bool:
        takes = takes_variables(partial(self._post, _CHAT), self._prompt, self.model_name)
        if self._prompt.thinks and not takes:
            self._on_notice(
                "This server refuses to be told about thinking: its model thinks or not as it was "
                "started, whatever --think says."
            )
        return takes

    def _with_grammar(self, template: str) -> Prompt:
        """Return the prompt for a llama-server: with a grammar, if it can read what that makes.

        Of a schema it makes a grammar by what it believes of the template: with some, it then
        refuses every picture or holds the reply to nothing. With others it looks for marks of its
        own in every reply, and fails without them, which one of two characters shows.
        """
        rendered = render(self._post, self._prompt)
        thinking = None if rendered is None else thinking_of(template, rendered)
        before, rules = thinking.as_grammar(thinks=False) if thinking else ("", "")
        body = {
            **self._prompt.question(()),
            "model": self.model_name,
            "max_tokens": _TRIAL_TOKENS,
            "grammar": f'root ::= {before} "{{}}"\n{rules}',
        }
        try:
            with suppress(NoReplyError, ServerLostError, BadReplyError):  # the first picture tells
                self._post(_CHAT, body, _TIMEOUT_S)
        except RefusedError:
            return self._prompt
        return replace(self._prompt, uses_grammar=True, thinking=thinking)

    def _post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        return ask_server(
            f"{self.base_url}{path}",
            self._api_key,
            body,
            timeout_s=timeout_s,
            is_cancelled=self._is_cancelled,
        )

    def read_model_name(self) -> str:
        """Return the name that the server gives the model to use.

        Raises:
            InferenceError: It does not answer, refuses the key, has not the model that was named,
                or has several and none was.
        """
        try:
            listed = [str(entry["id"]) for entry in self._ask("/v1/models")["data"]]
        except (BadReplyError, RefusedError, LookupError, TypeError) as error:
            told = error if isinstance(error, AskingError) else "It lists no models."
            raise InferenceError(
                f"No OpenAI-compatible server answers at {self.base_url}: {told}",
                check=f"{self.base_url}/v1/models",
                tip="Name the server's root address, such as http://127.0.0.1:8080",
            ) from error
        names = [name for name in listed if len(name) <= _LONGEST_NAME]
        wanted = self._wanted_model or (self._prefers if self._prefers in names else None)
        if wanted in names or (wanted is None and len(names) == 1):
            return wanted or names[0]
        what = f"no model '{wanted}'" if wanted else "not one model alone"
        raise InferenceError(
            f"The server at {self.base_url} has {what}, but: {', '.join(names[:10]) or 'none'}.",
            check=f"{self.base_url}/v1/models",
            tip="Name one that sees pictures: --model NAME",
        )

    def _get_props(self) -> dict[str, Any]:
        """Return what a llama-server tells about itself; empty for other servers."""
        try:
            props = self._ask("/props")
        except (BadReplyError, RefusedError):
            return {}
        return props if isinstance(props, dict) else {}

    def _ask(self, path: str) -> Any:
        try:
            return ask_server(
                f"{self.base_url}{path}",
                self._api_key,
                timeout_s=_TIMEOUT_S,
                most_bytes=_LARGEST_LIST_BYTES,
                is_cancelled=self._is_cancelled,
            )
        except (ServerLostError, NoReplyError) as error:
            raise InferenceError(
                f"No server answers at {self.base_url} ({error}).",
                check="That it runs and that the address is right.",
                tip="Name the server's root address, such as http://127.0.0.1:8080",
            ) from error
        except RefusedError as error:
            if error.status in (401, 403):
                raise wrong_key() from error
            raise
