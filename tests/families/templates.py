"""Small chat templates with the turn markers of the families and their kinds of behaviour."""

from __future__ import annotations

PARTS = (
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}PICTURE"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}"
)
"""Content that may be a text or a list of parts; `PICTURE` is replaced by the family's mark."""


def parts(picture: str) -> str:
    """Return the part of a template that takes text and pictures one by one."""
    return PARTS.replace("PICTURE", picture)


def chatml(picture: str, *, system: str | None = None) -> str:
    """Return a template of <|im_start|> turns; `system` stands first if the user gives none."""
    first = ""
    if system is not None:
        first = (
            "{% if messages[0].role != 'system' %}"
            f"<|im_start|>system\n{system}<|im_end|>\n"
            "{% endif %}"
        )
    return (
        f"{first}{{% for message in messages %}}<|im_start|>{{{{ message.role }}}}\n"
        f"{parts(picture)}<|im_end|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
