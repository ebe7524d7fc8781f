"""What llama-server is asked about a picture: instruction, picture, form of the reply."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cinecut.inference.models import (
    ALL_FIELDS,
    FIELDS,
    SceneDescription,
    gbnf_grammar,
    json_schema,
    longest_reply_bytes,
)
from cinecut.inference.question import telling
from cinecut.inference.question.png import SIGNATURE
from cinecut.inference.question.thinking import (
    MOST_THOUGHT_TOKENS,
    Thinking,
    template_variables,
)
from cinecut.models import DialogueLine

DEFAULT_LANGUAGE: Final = "English"
TEMPERATURE: Final = 0.1  # enough for another seed to give another reply, little enough to be dull
MARK_TOKENS: Final = 32  # begin and end of a thought, a letter each at the worst
_TEMPLATE_TOKENS: Final = 64  # turn markers, the picture's own marks, the beginning of the text
# For servers that put blanks into their JSON: the longest English reply with room for them.
_UNKNOWN_CONTEXT_TOKENS: Final = 1024
# The line break is for templates that put nothing between two texts.
_SEVERAL: Final = "\nThe {} pictures show the same shot in time order: say what moves."
_STRIP: Final = (
    "\nThe picture holds {} pictures of the same shot in time order, {}: say what moves."
)
_DOWN, _ACROSS = "one below the other", "from left to right"
_READING: Final = " Then text: the words to be read in the picture, exactly; empty if none."
_SAID: Final = '\nWhat is said meanwhile, for context: "{}"'


def default_instruction(language: str = DEFAULT_LANGUAGE) -> str:
    """Return the instruction that stands before every picture."""
    fields = ", ".join(
        f"{name} ({SceneDescription.model_fields[name].description})" for name in FIELDS
    )
    return f"Describe this film frame as JSON in {language}, a short sentence each: {fields}."


def make_prompt(
    instruction: str | None = None,
    language: str = DEFAULT_LANGUAGE,
    *,
    thinks: bool = False,
    reads_text: bool = False,
    tells_dialogue: bool = False,
    moments: int = 1,
) -> Prompt:
    """Return the prompt for descriptions in `language`, with the user's own words if given.

    Args:
        instruction: The user's own words; None asks for the four fields.
        language: The language of the replies.
        thinks: Whether a model that can is to think before it answers.
        reads_text: Whether the on-screen text is asked for too, whoever words the rest.
        tells_dialogue: Whether the model is told what is said at the frame's moment.
        moments: The most pictures of a frame's shot, its own included.
    """
    is_english = language.strip().lower() in ("", "english", "en")
    if instruction is None:
        instruction = default_instruction(DEFAULT_LANGUAGE if is_english else language)
    elif not is_english:
        instruction = f"{instruction.strip()} Write in {language}."
    return Prompt(
        instruction.strip() + (_READING if reads_text else ""),
        ascii_only=is_english,
        language=DEFAULT_LANGUAGE if is_english else language,
        thinks=thinks,
        reads_text=reads_text,
        tells_dialogue=tells_dialogue,
        moments=moments,
    )


@dataclass(frozen=True)
class Prompt:
    """The question, the same for every picture of a run."""

    instruction: str = default_instruction()
    ascii_only: bool = True
    """Whether replies are held to ASCII: true for English, which keeps the context small."""
    language: str = DEFAULT_LANGUAGE
    uses_grammar: bool = True
    """Whether the server knows llama.cpp's grammars; the schema is sent to the others."""
    thinks: bool = False
    """Whether a model that can is to think before it answers."""
    reads_text: bool = False
    """Whether the on-screen text is asked for too."""
    tells_dialogue: bool = False
    """Whether the model is told what is said at the frame's moment."""
    moments: int = 1
    """The most pictures of a frame's shot, its own included."""
    takes_several: bool = False
    """Whether the model takes several pictures; else they are joined in a strip."""
    thinking: Thinking | None = None
    """How the model thinks, once its server has shown it."""
    caches: bool = True
    """Whether a slot may keep what it knows of the prompt before; some builds die of it."""
    text_context: int = 0
    """A slot should have so many tokens of context for texts, if there is room; 0 asks for none."""
    tells_template: bool = True
    """Whether the server hands what it is told about thinking to the chat template."""

    @property
    def has_short_keys(self) -> bool:
        """Whether one letter stands for a field: where the instruction names the fields in order.

        A user's own may not. Then the keys tell the model what is wanted.
        """
        asked = ALL_FIELDS if self.reads_text else FIELDS
        names = re.search(".*".join(asked), self.instruction, re.DOTALL)
        return self.uses_grammar and names is not None

    @property
    def reply_tokens(self) -> int:
        """The most tokens a reply may have: by the grammar, none can be longer."""
        longest = longest_reply_bytes(**self._bounded)
        if not self.uses_grammar:
            longest = max(_UNKNOWN_CONTEXT_TOKENS, longest)
        thought = MOST_THOUGHT_TOKENS if self.thinks else 0
        marks = MARK_TOKENS if self.thinks or self.thinking else 0
        return thought + marks + longest + 1  # the end mark

    def context_tokens(self, picture_tokens: int) -> int:
        """Return the context that question, picture and reply are expected to need, in tokens.

        Text counts a token a byte, which no tokeniser exceeds. What the chat template adds of its
        own is a guess; see `context_for`.
        """
        text = len(self.instruction.encode()) + _TEMPLATE_TOKENS
        around = len(_SAID.encode()) if self.tells_dialogue else 0
        around += len(self.sample_note.encode())
        pictures = self.most_pictures * picture_tokens
        return self.context_for(text + around + self.dialogue_tokens + pictures)

    @property
    def most_pictures(self) -> int:
        """The most pictures of a question: a strip is one."""
        return self.moments if self.takes_several else 1

    @property
    def sample_note(self) -> str:
        """The longest that is said of several moments; nothing where there is one alone."""
        return self.note_on(self.moments)

    def cost_of_moments(self, picture_tokens: int | None) -> str:
        """Say in a sentence what several moments cost; nothing where there is one alone.

        Args:
            picture_tokens: The most that a picture costs; None where nobody knows.
        """
        if self.moments == 1:
            return ""
        if not self.takes_several:
            return (
                f"Up to {self.moments} pictures a keyframe: this model takes one at a time, so "
                "they go as a strip, each smaller and for no more tokens."
            )
        each = "as many times the tokens and the context"
        if picture_tokens is not None:
            more = (self.moments - 1) * picture_tokens
            each = f"about {more:,} more tokens of picture and of context for each slot"
        return f"Up to {self.moments} pictures a keyframe: {each}."

    def note_on(self, moments: int, *, is_down: bool = True) -> str:
        """Return what the model is told of so many moments of a shot; nothing of one alone.

        Args:
            moments: How many there are.
            is_down: Whether those of a strip stand one below the other.
        """
        if moments == 1:
            return ""
        if self.takes_several:
            return _SEVERAL.format(moments)
        return _STRIP.format(moments, _DOWN if is_down else _ACROSS)

    @property
    def dialogue_tokens(self) -> int:
        """The most tokens that what is said may take: a token a byte."""
        return telling.MOST_BYTES if self.tells_dialogue else 0

    @property
    def sample_words(self) -> str:
        """Words to ask a server with what the prompt costs without what is said."""
        return "?" if self.tells_dialogue else ""

    def words_at(self, timestamp_s: float, dialogue: Iterable[DialogueLine]) -> str:
        """Return what of `dialogue` the model is told about a frame: nothing unless it shall."""
        return telling.words_at(timestamp_s, dialogue) if self.tells_dialogue else ""

    def context_for(self, prompt_tokens: int) -> int:
        """Return the context that a prompt of so many tokens and its reply need.

        llama-server gives slots a multiple of 256.
        """
        return -(-(prompt_tokens + self.reply_tokens) // 256) * 256

    def messages(
        self, pictures: bytes | Sequence[bytes], said: str = "", note: str = ""
    ) -> list[dict[str, Any]]:
        """Return the chat. The instruction stands first: every slot keeps it in its cache."""
        pictures = [pictures] if isinstance(pictures, bytes) else pictures
        if not pictures:
            return [{"role": "user", "content": self.instruction}]
        words = [self.instruction, *([_SAID.format(said)] if said else []), note]
        content = [
            *({"type": "text", "text": text} for text in words if text),
            *({"type": "image_url", "image_url": {"url": _as_url(one)}} for one in pictures),
        ]
        return [{"role": "user", "content": content}]

    def question(
        self, pictures: bytes | Sequence[bytes], said: str = "", note: str = ""
    ) -> dict[str, Any]:
        """Return what of a request becomes the prompt: the chat, and what its template is told."""
        told = {"chat_template_kwargs": template_variables(thinks=self.thinks)}
        chat = self.messages(pictures, said, note)
        return {"messages": chat, **(told if self.tells_template else {})}

    def body(
        self,
        pictures: bytes | Sequence[bytes],
        seed: int,
        model: str | None,
        said: str = "",
        note: str = "",
        *,
        is_afresh: bool = False,
    ) -> dict[str, Any]:
        """Return the body of a chat completion request about a picture, or several.

        Args:
            pictures: The JPEG, or those of a shot in time order.
            seed: Another one gives another reply.
            model: Which of the server's models; None for one that has one.
            said: What is said while the picture is shown.
            note: What the pictures have to do with each other, as `note_on` has it.
            is_afresh: Whether a slot that knows the picture is to look at it anew.
        """
        keeps = self.caches and not is_afresh
        return {
            **({"model": model} if model else {}),
            **self.question(pictures, said, note),
            "max_tokens": self.reply_tokens,
            **({"cache_prompt": False} if self.uses_grammar and not keeps else {}),
            "temperature": TEMPERATURE,
            "seed": seed,
            **self._form(),
        }

    @property
    def _bounded(self) -> dict[str, bool]:
        """What bounds a reply."""
        return {
            "ascii_only": self.ascii_only,
            "short_keys": self.has_short_keys,
            "reads_text": self.reads_text,
        }

    def _form(self) -> dict[str, Any]:
        if self.uses_grammar:
            before = self.thinking.as_grammar(thinks=self.thinks) if self.thinking else ("", "")
            return {"grammar": gbnf_grammar(**self._bounded, before=before)}
        # The form that OpenAI documents: llama-server does not constrain the reply at all under
        # the shorter one of its own README.
        described = json_schema(reads_text=self.reads_text)
        schema = {"name": "scene_description", "strict": True, "schema": described}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _as_url(picture: bytes) -> str:
    kind = "png" if picture.startswith(SIGNATURE) else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")
