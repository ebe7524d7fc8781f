"""What llama-server is asked about a picture: instruction, picture, form of the reply."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from cinecut.inference.models import (
    FIELDS,
    SceneDescription,
    gbnf_grammar,
    json_schema,
    longest_reply_bytes,
)

DEFAULT_LANGUAGE: Final = "English"
_TEMPERATURE: Final = 0.1  # enough for another seed to give another reply, little enough to be dull
_TEMPLATE_TOKENS: Final = 64  # turn markers, the picture's own marks, the beginning of the text
# For servers that put blanks into their JSON: the longest English reply with room for them.
_UNKNOWN_CONTEXT_TOKENS: Final = 1024


def default_instruction(language: str = DEFAULT_LANGUAGE) -> str:
    """Return the instruction that stands before every picture."""
    fields = ", ".join(
        f"{name} ({SceneDescription.model_fields[name].description})" for name in FIELDS
    )
    return f"Describe this film frame as JSON in {language}, a short sentence each: {fields}."


def make_prompt(instruction: str | None = None, language: str = DEFAULT_LANGUAGE) -> Prompt:
    """Return the prompt for descriptions in `language`, with the user's own words if given."""
    is_english = language.strip().lower() in ("", "english", "en")
    if instruction is None:
        instruction = default_instruction(DEFAULT_LANGUAGE if is_english else language)
    elif not is_english:
        instruction = f"{instruction.strip()} Write in {language}."
    return Prompt(instruction.strip(), ascii_only=is_english)


@dataclass(frozen=True)
class Prompt:
    """The question, the same for every picture of a run."""

    instruction: str = default_instruction()
    ascii_only: bool = True
    """Whether replies are held to ASCII: true for English, which keeps the context small."""
    uses_grammar: bool = True
    """Whether the server knows llama.cpp's grammars; the schema is sent to the others."""

    @property
    def reply_tokens(self) -> int:
        """The most tokens a reply may have: by the grammar, none can be longer."""
        if not self.uses_grammar:
            return max(_UNKNOWN_CONTEXT_TOKENS, longest_reply_bytes(ascii_only=self.ascii_only))
        return longest_reply_bytes(ascii_only=self.ascii_only) + 1  # the end mark

    def context_tokens(self, picture_tokens: int) -> int:
        """Return the context that question, picture and reply need, in tokens.

        Text counts a token a byte, which no tokeniser exceeds. llama-server gives slots a
        multiple of 256.
        """
        text = len(self.instruction.encode()) + _TEMPLATE_TOKENS
        return -(-(text + picture_tokens + self.reply_tokens) // 256) * 256

    def messages(self, picture: bytes) -> list[dict[str, Any]]:
        """Return the chat. The instruction stands first: every slot keeps it in its cache."""
        url = "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
        content = [
            {"type": "text", "text": self.instruction},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return [{"role": "user", "content": content}]

    def body(self, picture: bytes, seed: int, model: str | None) -> dict[str, Any]:
        """Return the body of a chat completion request about `picture`, a JPEG."""
        return {
            **({"model": model} if model else {}),
            "messages": self.messages(picture),
            "max_tokens": self.reply_tokens,
            "temperature": _TEMPERATURE,
            "seed": seed,
            **self._form(),
        }

    def _form(self) -> dict[str, Any]:
        if self.uses_grammar:
            return {"grammar": gbnf_grammar(ascii_only=self.ascii_only)}
        # The form that OpenAI documents: llama-server does not constrain the reply at all under
        # the shorter one of its own README.
        schema = {"name": "scene_description", "strict": True, "schema": json_schema()}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
