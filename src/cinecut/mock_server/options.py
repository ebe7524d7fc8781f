"""Reads what may be set: llama-server's command line, and the switches in the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cinecut.mock_server.faults import HELP as FAULT_HELP
from cinecut.mock_server.faults import FaultPlan, SettingError

MODEL_CONTEXT_TOKENS: Final = 4096
"""What LLaVA-1.5 was trained with: the context when the command line names none."""

AUTO_SLOTS: Final = 4
"""How many slots there are when the command line names no number."""

SLOT_CONTEXT_STEP: Final = 256
"""llama-server rounds the context of a slot up to a multiple of this."""


@dataclass(frozen=True)
class _Flag:
    names: tuple[str, ...]
    placeholder: str
    """How the help shows the flag's value; empty for a switch."""
    help: str
    opposite: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.names[-1]


_FLAGS: Final = (
    _Flag(("-h", "--help"), "", "print usage and exit"),
    _Flag(("--version",), "", "show version and exit"),
    _Flag(("--list-devices",), "", "print list of available devices and exit"),
    _Flag(("-m", "--model"), "FNAME", "model path to load"),
    _Flag(("-mm", "--mmproj"), "FILE", "path to a multimodal projector file"),
    _Flag(("--host",), "HOST", "ip address to listen on (default: 127.0.0.1)"),
    _Flag(("--port",), "PORT", "port to listen on, 0 for any free one (default: 8080)"),
    _Flag(("-np", "--parallel"), "N", "number of server slots (default: -1, -1 = auto)"),
    _Flag(("-c", "--ctx-size"), "N", "size of the prompt context (default: 0 = the model's)"),
    _Flag(
        ("-kvu", "--kv-unified"),
        "",
        "one KV buffer shared by all slots (default: if the number of slots is auto)",
        ("-no-kvu", "--no-kv-unified"),
    ),
    _Flag(("--jinja",), "", "use the jinja template engine (default: enabled)", ("--no-jinja",)),
    _Flag(("--chat-template",), "JINJA_TEMPLATE", "set a chat template"),
    _Flag(("--chat-template-file",), "JINJA_TEMPLATE_FILE", "set a chat template file"),
    _Flag(("--api-key",), "KEY", "API key that requests must have (env: LLAMA_API_KEY)"),
    _Flag(("-cram", "--cache-ram"), "N", "maximum host cache size in MiB (no effect here)"),
    _Flag(("-b", "--batch-size"), "N", "logical batch size (no effect here)"),
    _Flag(("-ub", "--ubatch-size"), "N", "physical batch size (no effect here)"),
    _Flag(("-ngl", "--gpu-layers", "--n-gpu-layers"), "N", "layers in VRAM (no effect here)"),
    _Flag(("-dev", "--device"), "<dev1,dev2,..>", "devices to offload to (no effect here)"),
    _Flag(
        ("--mmproj-offload",), "", "projector in VRAM (no effect here)", ("--no-mmproj-offload",)
    ),
    _Flag(("--reasoning-format",), "FORMAT", "where thoughts go (no effect here)"),
    _Flag(("--image-max-tokens",), "N", "most tokens of a picture (no effect here)"),
    _Flag(("--skip-chat-parsing",), "", "leave replies as they are (no effect here)"),
    _Flag(("--offline",), "", "prevents network access (no effect here)"),
    _Flag(("--ui", "--webui"), "", "the web UI (there is none here)", ("--no-ui", "--no-webui")),
    _Flag(("--slots",), "", "the slots endpoint (there is none here)", ("--no-slots",)),
)

_SETTINGS_HELP: Final = """\
----- environment of the mock -----

CINECUT_MOCK_LOAD_S    seconds that loading takes (default: 0)
CINECUT_MOCK_FRAME_S   seconds that a reply takes, or a range to draw from: 0.1-0.5 (default: 0)
CINECUT_MOCK_SEED      seed of everything drawn (default: 0)
CINECUT_MOCK_DEVICES   what --list-devices tells, one device a line (default: none)
CINECUT_MOCK_FAULT     what goes wrong, and when
CINECUT_MOCK_ONCE      file that keeps the faults shown: servers that share it show each once
"""


@dataclass(frozen=True)
class Options:
    """Everything that one run of the mock was told."""

    flags: Mapping[str, str]
    """Values by the flag's last name, such as `--model`; switches are "on" or "off"."""
    plan: FaultPlan
    api_keys: frozenset[str] = frozenset()
    """Keys that open the server; none means that it is open to all."""
    load_s: float = 0.0
    frame_s: tuple[float, float] = (0.0, 0.0)
    seed: str = "0"
    devices: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    slots: int = AUTO_SLOTS
    context_tokens: int = MODEL_CONTEXT_TOKENS

    @property
    def model(self) -> str:
        """The model file's name as the command line gives it."""
        return self.flags.get("--model", "")

    @property
    def mmproj(self) -> str:
        """The projector file's name; empty when the command line has none."""
        return self.flags.get("--mmproj", "")

    @property
    def has_vision(self) -> bool:
        """Whether requests may have pictures."""
        return bool(self.mmproj) and "blind" not in self.plan.traits

    @property
    def unified(self) -> bool:
        """Whether the slots share one context instead of dividing it."""
        auto = "off" if "--parallel" in self.flags else "on"
        return self.flags.get("--kv-unified", auto) == "on"

    @property
    def slot_context_tokens(self) -> int:
        """The context that one request may fill."""
        if self.unified:
            return self.context_tokens
        steps = -(-self.context_tokens // (self.slots * SLOT_CONTEXT_STEP))
        return steps * SLOT_CONTEXT_STEP


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return what `arguments` and `environment` say.

    Raises:
        SettingError: a value that cannot be understood, or a flag that the plan has taken away.
    """
    plan = FaultPlan.parse(
        environment.get("CINECUT_MOCK_FAULT", ""),
        seed=environment.get("CINECUT_MOCK_SEED", "0"),
        once_path=environment.get("CINECUT_MOCK_ONCE"),
    )
    flags = _parse(arguments, plan.missing_flags)
    keys = f"{environment.get('LLAMA_API_KEY', '')},{flags.get('--api-key', '')}"
    slots = _integer(flags, "--parallel", -1)
    return Options(
        flags=flags,
        plan=plan,
        api_keys=frozenset(key for key in keys.split(",") if key),
        load_s=_seconds(environment, "CINECUT_MOCK_LOAD_S")[0],
        frame_s=_seconds(environment, "CINECUT_MOCK_FRAME_S"),
        seed=environment.get("CINECUT_MOCK_SEED", "0"),
        devices=tuple(environment.get("CINECUT_MOCK_DEVICES", "").splitlines()),
        host=flags.get("--host", "127.0.0.1"),
        port=_integer(flags, "--port", 8080),
        slots=slots if slots > 0 else AUTO_SLOTS,
        context_tokens=_integer(flags, "--ctx-size", 0) or MODEL_CONTEXT_TOKENS,
    )


def help_text(missing_flags: frozenset[str] = frozenset()) -> str:
    """Return what `--help` prints, in llama-server's layout, without the `missing_flags`."""
    lines = ["----- common params -----", ""]
    for flag in _FLAGS:
        names = [name for name in flag.names + flag.opposite if name not in missing_flags]
        if names:
            lines.append(f"{', '.join(names)} {flag.placeholder}".ljust(39) + f" {flag.help}")
    return "\n".join([*lines, "", _SETTINGS_HELP, FAULT_HELP])


def _parse(arguments: Sequence[str], missing_flags: frozenset[str]) -> dict[str, str]:
    """Return the values of the known flags; others pass, and so do their values.

    argparse cannot do this: it would read an unknown `-mg 0` as `-m g`.
    """
    known = {name: flag for flag in _FLAGS for name in flag.names + flag.opposite}
    values: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument in missing_flags:
            raise SettingError(f"error: invalid argument: {argument}")
        flag = known.get(argument)
        if flag is not None and flag.placeholder:
            values[flag.key] = next(rest, "")
        elif flag is not None:
            values[flag.key] = "off" if argument in flag.opposite else "on"
    return values


def _integer(flags: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(flags.get(name, default))
    except ValueError as error:
        raise SettingError(f'error while handling argument "{name}": stoi') from error


def _seconds(environment: Mapping[str, str], name: str) -> tuple[float, float]:
    """Return the range of seconds that a variable gives as `S` or `LOW-HIGH`."""
    low, _, high = environment.get(name, "0").partition("-")
    try:
        return float(low), float(high or low)
    except ValueError as error:
        raise SettingError(f"{name}: neither seconds nor a range of them") from error
