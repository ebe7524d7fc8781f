"""Finds out whether a server of any make takes what chat templates are told.

OpenAI's interface has no such thing. vLLM and SGLang hand it on, LM Studio and Ollama pass over it,
and some refuse every request that has it: gateways that check each argument, and vLLM for models
with a tokenizer of Mistral's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cinecut.inference.asking import (
    AskingError,
    BadReplyError,
    NoReplyError,
    RefusedError,
    ServerLostError,
)
from cinecut.inference.question.chat import wrong_key
from cinecut.inference.question.prompt import Prompt

Post = Callable[[dict[str, Any], float], Any]
"""Posts a chat completion request, with so many seconds for the reply."""

_TIMEOUT_S: Final = 5.0  # what is refused is refused at once
_PAUSES_S: Final = (0.5, 1.0)
_BUSY: Final = (429, 503)
_BLAMED: Final = "chat_template"


def takes_variables(post: Post, prompt: Prompt, model: str | None) -> bool:
    """Return whether requests to a server may hold the variables of chat templates.

    A question without a picture tells, of which one token is replied. A refusal counts if it names
    them, or if there is none without them: whatever else is refused has other reasons, and meets
    the first picture. A server that does not refuse at once has taken them and is at work.

    Args:
        post: Posts to the server.
        prompt: What it will be asked.
        model: Which of the server's models.

    Raises:
        InferenceError: The server refuses the key.
    """
    question = {"model": model, "max_tokens": 1}
    failure = _failure_of(post, question | replace(prompt, tells_template=True).question(()))
    if failure is None:
        return True
    if not _is_about_the_question(failure) or _BLAMED in str(failure):
        return False
    plain = question | replace(prompt, tells_template=False).question(())
    return _is_about_the_question(_failure_of(post, plain))


def _is_about_the_question(failure: AskingError | None) -> bool:
    """Whether the server has looked at it: one that is busy or gone has not."""
    return isinstance(failure, RefusedError) and failure.status not in _BUSY


def _failure_of(post: Post, question: dict[str, Any]) -> AskingError | None:
    """Return why a server did not take a question; None if it did."""
    pauses = iter(_PAUSES_S)
    while True:
        try:
            post(question, _TIMEOUT_S)
        except (NoReplyError, BadReplyError):
            return None
        except ServerLostError as error:
            return error
        except RefusedError as error:
            if error.status in (401, 403):
                raise wrong_key() from error
            pause_s = next(pauses, None) if error.status in _BUSY else None
            if pause_s is None:
                return error
            time.sleep(pause_s)
        else:
            return None
