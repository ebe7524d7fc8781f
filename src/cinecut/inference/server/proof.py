"""Proves before the first frame that a llama-server sees: vision, prompt, slots and context."""

from __future__ import annotations

from typing import Final

from cinecut.errors import InferenceError
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.child import LlamaServer
from cinecut.inference.server.launch import Launch
from cinecut.inference.server.rehearsal import count_prompt_tokens, render

# What the prompt holds in the picture's place; newer builds add random letters to the first.
_MEDIA_MARKS: Final = ("<__media", "<__image__>")
_VICUNA_TURNS: Final = ("USER:", "ASSISTANT:")


def prove_that_it_sees(
    server: LlamaServer, prompt: Prompt, launch: Launch, side_px: int | None
) -> int:
    """Return the number of slots that the server has, once it is clear that it can describe.

    Raises:
        InferenceError: It has no vision, its chat template loses the picture or the turns, or
            its slots are too small for a picture and a reply.
    """
    props = server.get_props()
    modalities = props.get("modalities")
    if isinstance(modalities, dict) and not modalities.get("vision"):
        raise InferenceError(
            "llama-server has no vision with these files.",
            check="That --mmproj names the mmproj that was published with the model.",
            tip="cinecut models list shows pairs that fit each other.",
        )
    settings = props.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    if isinstance(context, int) and 0 < context < launch.plan.context_per_slot:
        counted = count_prompt_tokens(server, prompt, side_px, insists=False)  # less than planned?
        needed = counted + prompt.reply_tokens if counted else launch.plan.context_per_slot
        if context < needed:
            several = prompt.most_pictures > 1
            pictures = f"a question of {prompt.most_pictures} pictures" if several else "a picture"
            fewer = "Show it fewer pictures of a shot, --moments, or use" if several else "Use"
            raise InferenceError(
                f"A slot has a context of {context} tokens, and {pictures} with its reply needs "
                f"{needed}: the model was made for no more, or the environment has it so.",
                check="LLAMA_ARG_... settings in the environment that change the context.",
                tip=f"{fewer} a model with a longer context: cinecut models list",
            )
    _check_template(server, prompt, launch)
    slots = props.get("total_slots")
    return slots if isinstance(slots, int) and slots > 0 else launch.plan.slots


def _check_template(server: LlamaServer, prompt: Prompt, launch: Launch) -> None:
    rendered = render(server.ask, prompt)
    if rendered is None:
        return
    if sum(rendered.count(mark) for mark in _MEDIA_MARKS) < prompt.most_pictures:
        problem = "The chat template leaves the picture out of the prompt"
    elif launch.forces_vicuna and not all(turn in rendered for turn in _VICUNA_TURNS):
        problem = "LLaVA-1.5's turn markers, USER: and ASSISTANT:, are missing from the prompt"
    else:
        return
    raise InferenceError(
        f"{problem}: {rendered[:120]!r}",
        check="llama-server --version; early builds know neither --no-jinja nor the template.",
        tip="Update llama-server, or use a model file that brings its own chat template.",
    )
