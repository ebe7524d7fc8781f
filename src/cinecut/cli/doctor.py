"""`cinecut doctor`: what is here, what is missing, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinecut.cli import arguments, options
from cinecut.cli.boundary import DONE, FAILED, exit_codes, interruptible
from cinecut.text import printable, without_home

if TYPE_CHECKING:
    from rich.text import Text

    from cinecut.doctor import Finding, State


def doctor(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Option(
            envvar="CINECUT_MODEL",
            metavar="NAME|FILE",
            autocompletion=options.model_names,
            help="The model to look at.",
        ),
    ] = None,
    mmproj: Annotated[
        Path | None, typer.Option(envvar="CINECUT_MMPROJ", metavar="FILE", help="Its mmproj.")
    ] = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    server_url: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_SERVER_URL", metavar="URL", help="The server that runs already."
        ),
    ] = None,
    output_dir: options.OutputDir = None,
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    skip_vram_check: options.SkipVramCheck = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            envvar="CINECUT_PROVE",
            help="Start llama-server and have one frame of the demo film described by the demo "
            "model, and say how long that takes. With --server-url: by that server.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Say what is here and what is missing, each with what mends it.

    Exits with 0 if `cinecut describe` with the same options would work, and with 1 if not.
    """
    from cinecut.cli.terminal import Terminal
    from cinecut.doctor import CHECKS, CHECKS_WITH_SERVER_URL, Machine, examine
    from cinecut.doctor import prove as prove_it

    with exit_codes(goes_on=False):
        terminal = Terminal(json=json)
        machine = Machine(
            *(model, mmproj, models_dir, llama_server, output_dir),
            **arguments.server_of_somebody_else(context, server_url, model),
            device=device.value,
            selector=gpu,
            skips_vram_check=skip_vram_check,
        )
        checks = CHECKS_WITH_SERVER_URL if server_url else CHECKS
        states: list[State] = []

        def follow(name: str) -> None:
            terminal.follow("looking at", lambda: name)

        def show(name: str, finding: Finding) -> None:
            states.append(finding.state)
            found = without_home(finding.found)
            mend = without_home(finding.mend) if finding.mend else None
            seconds = {} if finding.seconds is None else {"seconds": round(finding.seconds, 3)}
            entry = {"check": name, "state": finding.state, "found": found, "mend": mend, **seconds}
            terminal.data(entry, _text(name, finding.state, found, mend))

        with terminal.live():
            for name, finding in examine(machine, checks, follow):
                show(name, finding)
            if prove:
                with interruptible() as is_cancelled:
                    for name, finding in prove_it(machine, follow, is_cancelled):
                        show(name, finding)
        works = "works" if prove else "will work"
        failures, warnings = states.count("failure"), states.count("warning")
        terminal.tell(
            f"cinecut describe {'will not work yet' if failures else works}: "
            f"{failures} failure{'s' * (failures != 1)}, {warnings} warning{'s' * (warnings != 1)}",
            style="bold",
        )
        raise typer.Exit(FAILED if failures else DONE)


def _text(check: str, state: State, found: str, mend: str | None) -> Text:
    from rich.text import Text

    style = {"ok": "green", "warning": "yellow", "failure": "bold red"}[state]
    text = Text()
    text.append(f"{state:<8}", style=style)
    text.append(f"{check}: ", style="bold")
    text.append("\n        ".join(printable(line) for line in found.splitlines()))
    if mend:
        text.append(f"\n        {printable(mend)}", style="cyan")
    return text
