"""Renders self-contained HTML pages that load nothing from a network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from cinecut.results import presentation

if TYPE_CHECKING:
    from jinja2 import Environment

_MEDIA: Final = "media-src 'self' file:; "


def render(
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    plays_film: bool = False,
    **facts: Any,
) -> str:
    """Return `template` filled with `facts`, with the named styles and scripts inside it.

    The page's policy lets exactly these styles and scripts run, told by their digests, and
    pictures from beside the page: even text that got past the escaping could load and run nothing.
    With `plays_film` it may play files, too: a policy can name no folder of them.
    """
    style, script = _joined(styles), _joined(scripts)
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        # Chromium's 'self' covers files beside a file; others want the scheme named.
        "img-src 'self' file:; "
        f"{_MEDIA if plays_film else ''}"
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            # Safe to mark: both are the package's own files.
            style=Markup(style),
            script=Markup(script),
            policy=policy,
            **facts,
        )
    )


@cache
def _environment() -> Environment:
    # Most runs write no page, and need not wait for the templates' compiler.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("cinecut.results.page", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": presentation.clock, "timecode": presentation.timecode}
    environment.filters["part_label"] = presentation.part_label
    environment.globals["on_screen_label"] = presentation.ON_SCREEN_LABEL
    return environment


def _joined(names: Sequence[str]) -> str:
    folder = files("cinecut.results.page") / "templates"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
