"""Models that think before they answer: by which marks, and whether the prompt has begun it.

Most templates think only if they are told, or not if they are told (`enable_thinking`). Some write
the first mark into every prompt: a reply then begins in the middle of a thought, which must be
ended before it is a description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# Of llama.cpp's models/templates (build 11434).
_MARKS: Final = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<thinking>", "</thinking>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<|start|>assistant", "<|channel|>final<|message|>"),  # gpt-oss: between them whom it is for
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel 1.6
)
# Newer llama-servers fail where a reply lacks the mark that begins an answer: Cohere 2 MoE.
_ANSWERS: Final = {"<|END_THINKING|>": "<|START_TEXT|>"}
THOUGHTS: Final = ("reasoning_content", "reasoning")
"""Where servers that part thoughts from answers put them: the second in Ollama and newer vLLM."""
MOST_THOUGHT_TOKENS: Final = 1999
"""How long a model may think that was asked to; a grammar of llama.cpp repeats no more often."""


@dataclass(frozen=True)
class Thinking:
    """How a model thinks."""

    begin: str
    end: str
    """With what stands before an answer, if anything does."""
    is_begun: bool = False
    """Whether the prompt ends inside a thought."""

    def as_grammar(self, *, thinks: bool) -> tuple[str, str]:
        """Return what stands in a grammar before the description, and the rules for that.

        Args:
            thinks: Whether there is to be a thought; else one that is begun is ended at once.
        """
        if not thinks:
            return (f'"{self.end}" blank', _BLANK) if self.is_begun else ("", "")
        begin = "" if self.is_begun else f'"{self.begin}" '
        other = r"[^\[]" if self.end.startswith("[") else "[^<]"
        thought = f"thought ::= {other}{{0,{MOST_THOUGHT_TOKENS}}}\n"
        return f'{begin}thought "{self.end}" blank', _BLANK + thought


_BLANK: Final = "blank ::= [ \\n]{0,2}\n"


def template_variables(*, thinks: bool) -> dict[str, Any]:
    """Return what chat templates are told about thinking, by the names that they read.

    Most read `enable_thinking`; DeepSeek's `thinking`, MiniMax's `thinking_mode`, Seed's the last.
    """
    if thinks:
        return {"enable_thinking": True, "thinking": True, "thinking_mode": "enabled"}
    return {
        "enable_thinking": False,
        "thinking": False,
        "thinking_mode": "disabled",
        "thinking_budget": 0,
    }


def thinking_of(template: str, rendered: str) -> Thinking | None:
    """Return how a model thinks; None for one that does not, as far as is known here.

    Args:
        template: Its chat template.
        rendered: A prompt that the template has made of the question.
    """
    end_of_prompt = rendered.rstrip()
    for begin, end in _MARKS:
        if end_of_prompt.endswith(begin):
            return Thinking(begin, _up_to_answer(end, template), is_begun=True)
    for begin, end in _MARKS:
        if begin in template and end in template:
            return Thinking(begin, _up_to_answer(end, template))
    return None


def _up_to_answer(end: str, template: str) -> str:
    answer = _ANSWERS.get(end, "")
    return end + answer if answer in template else end
