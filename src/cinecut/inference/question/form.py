"""What is asked in text alone, and the form of the reply: bounded, its scenes out of a list.

A reply that keeps to the form can neither be cut off by its longest length nor name a scene that
it was not told of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from pydantic import ValidationError

from cinecut.inference.models import text_rules
from cinecut.inference.question.ending import end_properly, ends_a_sentence
from cinecut.inference.question.prompt import MARK_TOKENS, TEMPERATURE, Prompt
from cinecut.inference.question.repetition import repeats_itself
from cinecut.inference.question.reply import first_problem, message_of, objects
from cinecut.inference.question.thinking import template_variables
from cinecut.inference.summaries import Kind, Retelling, Sentence
from cinecut.models import Skip

_TITLE_CHARS: Final = 48
_SENTENCE_CHARS: Final = 200
_LEAST_CHARS: Final = 24
_NAME_CHARS: Final = 40
_MOST_SCENES: Final = 4
"""So many scenes a sentence or an element names at the most."""
_KINDS: Final = get_args(Kind)
_BLANKS: Final = 512  # for servers that put white space into their JSON


@dataclass(frozen=True)
class Form:
    """The form of a reply: a title, sentences, elements, as far as they are asked for."""

    scenes: tuple[int, ...]
    """The scenes that may be named; at least one."""
    has_title: bool = False
    sentences: tuple[int, int] = (0, 0)
    """So many at the least, and at the most. Where none will do, the reply may say nothing."""
    elements: int = 0
    """So many at the most; at least one if any."""
    sentence_chars: int = _SENTENCE_CHARS

    def within(self, most_bytes: int, *, ascii_only: bool) -> Form | None:
        """Return this form made so small that no reply has more bytes; None if it cannot be."""
        form = self
        while form.longest_bytes(ascii_only=ascii_only) > most_bytes:
            if form.sentences[1] and form.sentence_chars > _LEAST_CHARS:
                form = replace(form, sentence_chars=form.sentence_chars - 4)
            elif form.elements > 1:
                form = replace(form, elements=form.elements - 1)
            else:
                return None
        return form

    def longest_bytes(self, *, ascii_only: bool) -> int:
        """Return the size of the longest reply, which bounds its tokens too."""
        char = 1 if ascii_only else 4
        number = len(str(max(self.scenes)))
        scenes = len(',"scenes":[]') + _MOST_SCENES * (number + 1)
        sentence = len('{"text":""},') + char * self.sentence_chars + scenes
        element = len('{"name":"","kind":""},') + char * _NAME_CHARS + scenes
        element += max(map(len, _KINDS))
        title = len('"title":"",') + char * _TITLE_CHARS if self.has_title else 0
        around = len('{"sentences":[],"elements":[]}')
        return title + self.sentences[1] * sentence + self.elements * element + around

    def grammar(self, *, ascii_only: bool, before: tuple[str, str] = ("", "")) -> str:
        """Return it as a grammar for llama-server; `before` is what stands before the object."""
        parts = ['"\\"title\\":\\"" title "\\""'] if self.has_title else []
        if self.sentences[1]:
            least, most = self.sentences
            some = f'sentence ("," sentence){{{max(0, least - 1)},{most - 1}}}'
            some = some if least else f"({some})?"
            parts.append(f'"\\"sentences\\":[" {some} "]"')
        if self.elements:
            more = f'("," element){{0,{self.elements - 1}}}'
            parts.append(f'"\\"elements\\":[" element {more} "]"')
        root = ' "," '.join(parts)
        kinds = " | ".join(f'"{kind}"' for kind in _KINDS)
        numbers = " | ".join(f'"{scene}"' for scene in self.scenes)
        return (
            f'root ::= {before[0]} "{{" {root} "}}"\n{before[1]}'
            f"title ::= first other{{0,{_TITLE_CHARS - 1}}}\n"
            f'sentence ::= "{{\\"text\\":\\"" first other{{0,{self.sentence_chars - 1}}} '
            '"\\"," scenes "}"\n'
            f'element ::= "{{\\"name\\":\\"" first other{{0,{_NAME_CHARS - 1}}} '
            f'"\\",\\"kind\\":\\"" kind "\\"," scenes "}}"\n'
            f"kind ::= {kinds}\n"
            f'scenes ::= "\\"scenes\\":[" scene ("," scene){{0,{_MOST_SCENES - 1}}} "]"\n'
            f"scene ::= {numbers}\n"
            f"{text_rules(ascii_only=ascii_only)}"
        )

    def schema(self) -> dict[str, Any]:
        """Return it as a JSON Schema."""
        scenes = _list({"type": "integer", "enum": list(self.scenes)}, 1, _MOST_SCENES)
        wanted: dict[str, Any] = {"title": _string(_TITLE_CHARS)} if self.has_title else {}
        if self.sentences[1]:
            sentence = _object({"text": _string(self.sentence_chars), "scenes": scenes})
            wanted["sentences"] = _list(sentence, *self.sentences)
        if self.elements:
            kind = {"type": "string", "enum": list(_KINDS)}
            element = _object({"name": _string(_NAME_CHARS), "kind": kind, "scenes": scenes})
            wanted["elements"] = _list(element, 1, self.elements)
        return _object(wanted)

    def reply_tokens(self, prompt: Prompt) -> int:
        """Return the most tokens that a reply may have."""
        blanks = 0 if prompt.uses_grammar else _BLANKS
        return self.longest_bytes(ascii_only=prompt.ascii_only) + blanks + MARK_TOKENS + 1

    def body(self, prompt: Prompt, text: str, seed: int, model: str | None) -> dict[str, Any]:
        """Return the body of a chat completion request: `text`, to be answered in this form.

        Args:
            prompt: How the same server is asked about pictures.
            text: All that is asked.
            seed: Another one gives another reply.
            model: Which of the server's models; None for one that has one.
        """
        return {
            **({"model": model} if model else {}),
            **question(prompt, text),
            "max_tokens": self.reply_tokens(prompt),
            **({"cache_prompt": False} if prompt.uses_grammar and not prompt.caches else {}),
            "temperature": TEMPERATURE,
            "seed": seed,
            **self._asked_for(prompt),
        }

    def _asked_for(self, prompt: Prompt) -> dict[str, Any]:
        if prompt.uses_grammar:
            before = prompt.thinking.as_grammar(thinks=False) if prompt.thinking else ("", "")
            return {"grammar": self.grammar(ascii_only=prompt.ascii_only, before=before)}
        schema = {"name": "film_summary", "strict": True, "schema": self.schema()}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def read(self, reply: Any) -> Retelling | Skip:
        """Return what the parsed body of a chat completion says, or why it says nothing."""
        text, is_cut = message_of(reply)
        found, problem = None, "There is no whole JSON object"
        for candidate in objects(text.rpartition("</think>")[2]):
            try:
                told = Retelling.model_validate(candidate)
            except ValidationError as error:
                problem = first_problem(error)
                continue
            if problem_of_it := self._problem_of(told):
                problem = problem_of_it
            else:
                found = told
        if found is None:
            if is_cut:
                return Skip("truncated", "The reply was cut off at its longest.")
            return Skip("malformed", f"{problem} in {text[:80]!r}"[:200])
        sentences = [*map(self._ended, found.sentences)]
        texts = [each.text for each in sentences]
        names = [each.name for each in found.elements]
        told_of = {"sentences": sentences, "tokens": _tokens_of(reply)}
        circles = repeats_itself(texts) or len({*names}) < len(names)
        return found.model_copy(update={**told_of, "repeats_itself": circles})

    def begun(self, text: str) -> list[Sentence]:
        """Return the sentences that stand whole in a reply that is still being written."""
        found = []
        for candidate in objects(text.rpartition("</think>")[2]):
            try:
                sentence = Sentence.model_validate(candidate)
            except ValidationError:
                continue
            if {*sentence.scenes} <= {*self.scenes}:
                found.append(self._ended(sentence))
        return found

    def _problem_of(self, told: Retelling) -> str | None:
        named = {scene for one in told.sentences for scene in one.scenes}
        named |= {scene for one in told.elements for scene in one.scenes}
        if not named <= {*self.scenes}:
            return "It names scenes that it was not told of"
        least, most = self.sentences
        is_whole = least <= len(told.sentences) <= most and len(told.elements) <= self.elements
        # A sentence alone would be a reply that says nothing, where there may be such a one.
        is_whole = is_whole and (not most or "sentences" in told.model_fields_set)
        if not is_whole or (self.has_title and not told.title):
            return "It is not what was asked for"
        return None if named or not (least or self.elements) else "It names no scene"

    def _ended(self, sentence: Sentence) -> Sentence:
        text = sentence.text
        is_cut = len(text) >= self.sentence_chars and not ends_a_sentence(text)
        return sentence.model_copy(update={"text": end_properly(text)}) if is_cut else sentence


def question(prompt: Prompt, text: str) -> dict[str, Any]:
    """Return what of a request becomes the prompt; a model that can think is kept from it."""
    told = {"chat_template_kwargs": template_variables(thinks=False)}
    messages = [{"role": "user", "content": text}]
    return {"messages": messages, **(told if prompt.tells_template else {})}


def _tokens_of(reply: Any) -> int:
    usage = reply.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if type(total) is int and total > 0 else 0


def _string(most_chars: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most_chars}


def _list(items: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    required = list(properties)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
