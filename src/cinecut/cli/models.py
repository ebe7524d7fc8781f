"""`cinecut models`: which models there are, and getting one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cinecut.cli import options
from cinecut.cli.boundary import exit_codes, interruptible
from cinecut.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs: --help must be fast
    from cinecut.model_store.pull import Progress, Wanted

models = typer.Typer(
    help="Vision models: list those to have, pull one.", no_args_is_help=True, rich_markup_mode=None
)


@models.command()
def pull(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=options.catalogue_names,
            help="A name that `cinecut models list` shows, but for demo, which is here.",
        ),
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_REPO",
            metavar="OWNER/NAME",
            help="Any other repository of the Hugging Face Hub.",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_FILE", metavar="FILE", help="The language model in it, a GGUF file."
        ),
    ] = None,
    mmproj_file: Annotated[
        str | None,
        typer.Option(
            envvar="CINECUT_MMPROJ_FILE", metavar="FILE", help="The mmproj in it, a GGUF file."
        ),
    ] = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Get a model and its mmproj: the right one for this machine if none is named.

    The memory of its GPU, or main memory, decides; `cinecut models list` shows them all.

    A download that was interrupted goes on where it stopped; checksums are compared with the
    hub's. HF_ENDPOINT names a mirror, HF_TOKEN a token, HF_HUB_OFFLINE keeps off the network.
    """
    from cinecut.cli.models_view import PullView
    from cinecut.cli.terminal import Terminal
    from cinecut.model_store.fitting import advise
    from cinecut.model_store.hardware import look_at_hardware
    from cinecut.model_store.pull import Wanted
    from cinecut.model_store.pull import pull as pull_model
    from cinecut.model_store.search import default_models_dir

    with exit_codes(), interruptible(at_once=True) as is_cancelled:
        wanted = _wanted(name, repo, file, mmproj_file)
        terminal = Terminal(json=json, quiet=quiet)
        if wanted is None:
            advice = advise(look_at_hardware(device.value, gpu, llama_server))
            wanted = Wanted.of(advice.entry)
            terminal.tell(f"{wanted.name} is chosen: {advice.why}.")
        view = PullView(terminal, wanted)

        def follow(progress: Progress) -> None:
            if is_cancelled():
                raise KeyboardInterrupt
            view.follow(progress)

        with terminal.live():
            found = pull_model(wanted, models_dir or default_models_dir(), follow, terminal.notice)
        view.end(found)


@models.command("list")
def list_models(
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    json: options.Json = False,
) -> None:
    """List the models to have: which fit this machine, which are here, and which others are."""
    from cinecut.cli.models_view import ListView
    from cinecut.cli.terminal import Terminal
    from cinecut.model_store.hardware import look_at_hardware
    from cinecut.model_store.search import known_models

    with exit_codes():
        hardware = look_at_hardware(device.value, gpu, llama_server)
        view = ListView(Terminal(json=json), hardware)
        for model in known_models(models_dir):
            view.show(model)


def _wanted(
    name: str | None, repo: str | None, file: str | None, mmproj_file: str | None
) -> Wanted | None:
    """Return the model that was named, or None where none was."""
    from cinecut.model_store.catalogue import by_name
    from cinecut.model_store.pull import Wanted

    tip = "cinecut models list shows the names that are known."
    if repo and file and mmproj_file and not name:
        return Wanted(repo, file, mmproj_file)
    if repo or file or mmproj_file:
        raise UsageError(
            "Give a NAME, or --repo with --file and --mmproj-file: a model has two files.", tip=tip
        )
    if name is None:
        return None
    entry = by_name(name)
    if entry is None:
        raise UsageError(f"No model is called {name}.", tip=tip)
    return Wanted.of(entry)
