"""What has room in a slot, reckoned without a server."""

from __future__ import annotations

from cinecut.inference.question.form import Form


class OnPaper:
    """A slot of so many tokens, a token each four characters."""

    language = "English"

    def __init__(self, context: int) -> None:
        self.context = context

    def fitted(self, form: Form) -> Form | None:
        return form.within(int(self.context * 0.4), ascii_only=True)

    def fits(self, text: str, form: Form) -> bool:
        return len(text) // 4 + form.longest_bytes(ascii_only=True) <= self.context
