"""Models that think before they answer, each made to, or held from it, in a way of its own.

The thoughts are one token, so that a test waits for the answer and not for them. LLaVA's
weights are the cheapest, so these pairs have them.
"""

from __future__ import annotations

from dataclasses import replace

from families.family import Family
from families.llava import LLAVA
from families.mistral import TURN_MARKS, with_default_system
from families.templates import parts

THOUGHT = " Hmm, what is there to see?"
"""The token."""
ENABLED_OR_NOT = (
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}"
)
"""The end of a prompt that opens a block of thoughts, and closes it at once when told to."""
BLOCK_MARKS = ("<think>", "</think>", THOUGHT, "\n\n")
BLOCK = {"<0x0A>": THOUGHT, THOUGHT: "</think>"}
"""What is said where a prompt has opened the block; after the blank line of a closed one the
model answers at once."""


def _vicuna(end_of_prompt: str, *, answer: str = "{{ message.content }}") -> str:
    return (
        "{% for message in messages %}"
        f"{{% if message.role == 'user' %}}USER: {parts('')}{{{{ '\\n' }}}}"
        f"{{% elif message.role == 'assistant' %}}ASSISTANT: {answer}</s>\n"
        "{% else %}{{ message.content }}\n{% endif %}{% endfor %}"
        f"{{% if add_generation_prompt %}}ASSISTANT:{end_of_prompt}{{% endif %}}"
    )


def _thinking(
    name: str, template: str, marks: tuple[str, ...], follows: dict[str, str], *control: str
) -> Family:
    text = replace(LLAVA.text, template=template, marks=control, shown_marks=marks, follows=follows)
    return replace(LLAVA, name=name, text=text)


ALWAYS = _thinking(
    "always thinks",
    _vicuna(
        "<think>\n",
        answer="{% set content = message.content %}{{ content.split('</think>')[-1] }}",
    ),
    BLOCK_MARKS,
    BLOCK,
)
"""As DeepSeek-R1: every prompt ends in an open block, and nothing changes that."""

UNLESS_TOLD = _thinking(
    "thinks unless told",
    _vicuna(
        ENABLED_OR_NOT,
        answer="{% if message.reasoning_content is string %}<think>\n"
        "{{ message.reasoning_content }}\n</think>\n\n{% endif %}{{ message.content }}",
    ),
    BLOCK_MARKS,
    BLOCK,
)
"""As Qwen3.5: `enable_thinking` false closes the block."""

ENDLESSLY = replace(
    ALWAYS,
    name="thinks endlessly",
    text=replace(ALWAYS.text, follows={"<0x0A>": THOUGHT}),
)
"""The first, but its thoughts come to no end."""

_ASKS = (
    "# HOW TO ANSWER\n\nFirst think about what is asked, as on a sheet of paper of your own, "
    "between the marks: [THINK]your thoughts[/THINK]Then write the answer, which has to be "
    "understood without them."
)
_BLOCKS = (
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for block in message.content %}"
    "{% if block.type == 'thinking' %}[THINK]{{ block.thinking }}[/THINK]"
    "{% elif block.type == 'text' %}{{ block.text }}{% endif %}{% endfor %}{% endif %}"
    "{% for call in message.tool_calls or [] %}"
    "[TOOL_CALLS]{{ call.function.name }}[ARGS]{{ call.function.arguments }}{% endfor %}"
)

ASKED = _thinking(
    "thinks when asked",
    with_default_system(_ASKS, answer=_BLOCKS),
    ("[THINK]", "[/THINK]", THOUGHT),
    {"[/INST]": "[THINK]", "[THINK]": THOUGHT, THOUGHT: "[/THINK]"},
    *TURN_MARKS,
)
"""As Magistral: the system prompt that its template brings asks for thoughts."""

BUDGETED = _thinking(
    "thinks within a budget",
    "{% for message in messages %}<seed:bos>{{ message.role }}\n"
    "{% if message.role == 'assistant' and message.reasoning_content is string %}"
    "<seed:think>{{ message.reasoning_content }}</seed:think>\n{% endif %}"
    f"{parts('')}<seed:eos>{{% endfor %}}"
    "{% if add_generation_prompt %}<seed:bos>assistant\n"
    "{% if thinking_budget is defined and thinking_budget == 0 %}"
    "<seed:think></seed:think>{% endif %}{% endif %}",
    ("<seed:think>", "</seed:think>", THOUGHT),
    {"<0x0A>": "<seed:think>", "<seed:think>": THOUGHT, THOUGHT: "</seed:think>"},
    "<seed:bos>",
    "<seed:eos>",
)
"""As Seed-OSS: it begins to think by itself, with marks of its own, unless its budget is 0."""

THOUGHTFUL: list[Family] = [ALWAYS, UNLESS_TOLD, ENDLESSLY, ASKED, BUDGETED]
