"""Plans what goes wrong and when: the small language of `CINECUT_MOCK_FAULT`.

A plan is faults with blanks between them; a fault is `NAME[=VALUE][@WHEN]`, and WHEN is a list
of the places where it strikes, with commas between them:

    500@3,7             an HTTP 500 for the third and the seventh chat request
    stall=2@5-          every reply from the fifth on is two seconds late
    bad-json@10%        one reply in ten, drawn with the seed
    exit=1@load kill@4  dies while loading; would be killed at the fourth request
"""

from __future__ import annotations

import math
import random
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from cinecut.mock_server.failures import FAILURES

_SECONDS: Final = r"(\d+(\.\d+)?)?"
_SIZE: Final = r"(\d+[KMG]?)?"
_STAGES: Final = r"start|load|stop"
_REQUESTS: Final = r"[1-9]\d*(-\d*)?|\d+(\.\d+)?%"


class SettingError(Exception):
    """A flag or a variable that the mock cannot understand."""


class _Kind(NamedTuple):
    help: str
    value: str = ""
    """Pattern of the text after `=`."""


_STATUS: Final = _Kind("answer with this HTTP status")
_REPLY_FAULTS: Final = {
    "stall": _Kind("never answer, or =S seconds late", _SECONDS),
    "closed": _Kind("close the connection without an answer"),
    "half": _Kind("close it in the middle of the answer"),
    "length": _Kind("tell a Content-Length that is =N bytes off, such as -20", r"[+-]\d+"),
    "bad-json": _Kind("describe in words that are not JSON"),
    "truncated": _Kind("end the description as max_tokens would"),
    "long": _Kind("say =N characters in the first field, in words of six", r"[1-9]\d*"),
    "loop": _Kind("say the same over and over in the first field"),
    "bad-utf8": _Kind("send a body that is not UTF-8"),
    "empty": _Kind("send a body that is JSON and no completion: {}"),
    "huge": _Kind("send a description of =SIZE bytes (default: 100M)", _SIZE),
}
_PROCESS_FAULTS: Final = {
    "exit": _Kind("exit with =CODE (default: 1)", r"\d*"),
    "segfault": _Kind("die of SIGSEGV"),
    "kill": _Kind("die of SIGKILL"),
    "freeze": _Kind("stop itself with SIGSTOP"),
    "log": _Kind("write =SIZE bytes to the log (default: 1M)", _SIZE),
    "fail": _Kind("log llama-server's own words for =REASON and exit", "|".join(FAILURES)),
}
_TRAITS: Final = {
    "deaf": _Kind("ignores SIGTERM and SIGINT"),
    "silent": _Kind("logs nothing while loading"),
    "blind": _Kind("has no vision, mmproj or not"),
    "garbage": _Kind("writes nonsense wherever no form is asked for"),
    "chatml": _Kind("renders prompts with ChatML's turn markers"),
    "impostor": _Kind("says in /props that it runs another model"),
    "without": _Kind("is too old to know =FLAG[,FLAG]", r"-.+"),
}


def _table(title: str, kinds: dict[str, _Kind]) -> str:
    return "\n".join([title, *(f"  {name.ljust(12)} {kind.help}" for name, kind in kinds.items())])


HELP: Final = f"""\
A fault is NAME[=VALUE][@WHEN]; several have blanks between them. WHEN is a list with commas:
start (before the port is bound), load, stop (at SIGTERM), chat requests by number (3, 5-9, 5-)
or a share of them (10%). Examples: 500@3,7   stall=2@5-   bad-json@10%   exit=1@load

{_table("in replies (without WHEN: in every one)", {"400 to 599": _STATUS} | _REPLY_FAULTS)}
{_table("of the process (without WHEN: @load)", _PROCESS_FAULTS)}
{_table("from start to end (never with WHEN)", _TRAITS)}
REASON is one of: {", ".join(FAILURES)}
"""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    text: str
    """The fault as it was written."""
    name: str
    value: str
    when: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read one fault.

        Raises:
            SettingError: a name, a value or a place that does not exist.
        """
        head, at, when = text.partition("@")
        name, _, value = head.partition("=")
        if name in _PROCESS_FAULTS:
            kind, default, places = _PROCESS_FAULTS[name], "load", f"{_STAGES}|{_REQUESTS}"
        elif name in _TRAITS:
            kind, default, places = _TRAITS[name], "", ""
        elif name in _REPLY_FAULTS or re.fullmatch(r"[45]\d\d", name):
            kind, default, places = _REPLY_FAULTS.get(name, _STATUS), "1-", _REQUESTS
        else:
            raise SettingError(f"CINECUT_MOCK_FAULT: no fault is called {name!r}")
        fault = cls(text, name, value, tuple((when if at else default).split(",")))
        if not re.fullmatch(kind.value, value):
            raise SettingError(f"CINECUT_MOCK_FAULT: {text!r} has no such value")
        if not all(re.fullmatch(places, place) for place in fault.when):
            raise SettingError(f"CINECUT_MOCK_FAULT: {text!r} cannot strike there")
        return fault

    def size_bytes(self, default: str) -> int:
        """Return the value as a number of bytes; it is digits, then K, M, G or nothing."""
        amount = self.value or default
        power = "KMG".find(amount[-1]) + 1
        return int(amount.rstrip("KMG")) << 10 * power

    def is_due(self, occasion: str | int, seed: str) -> bool:
        """Tell whether it strikes at a stage or at the chat request of this number."""
        return any(self._strikes(place, occasion, seed) for place in self.when)

    def _strikes(self, place: str, occasion: str | int, seed: str) -> bool:
        if isinstance(occasion, str) or not place[:1].isdigit():
            return place == occasion
        if place.endswith("%"):
            drawn = random.Random(f"{seed} {self.text} {occasion}").random()
            return drawn * 100 < float(place[:-1])
        first, dash, last = place.partition("-")
        return int(first) <= occasion <= (int(last or first) if last or not dash else math.inf)


@dataclass(frozen=True)
class FaultPlan:
    """All the faults of a run."""

    faults: tuple[Fault, ...] = ()
    seed: str = "0"
    once_path: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, *, seed: str = "0", once_path: str | None = None) -> FaultPlan:
        """Read a plan; see the module for its language.

        Raises:
            SettingError: a fault that cannot be read.
        """
        faults = tuple(map(Fault.parse, text.split()))
        return cls(faults, seed, Path(once_path) if once_path else None)

    @property
    def traits(self) -> frozenset[str]:
        """The names of the faults that hold all the time."""
        return frozenset(fault.name for fault in self.faults) & _TRAITS.keys()

    @property
    def missing_flags(self) -> frozenset[str]:
        """The flags that this llama-server is too old to know."""
        values = (fault.value for fault in self.faults if fault.name == "without")
        return frozenset(flag for value in values for flag in value.split(","))

    def due(self, occasion: str | int) -> list[Fault]:
        """Return the faults that strike at a stage or at the chat request of this number.

        With a file of the faults shown, each strikes only once on each occasion, even when
        another server takes over: it is written down before it happens.
        """
        due = [fault for fault in self.faults if fault.is_due(occasion, self.seed)]
        if self.once_path is None or not due:
            return due
        with self._lock, self.once_path.open("a+", encoding="utf-8") as shown:
            shown.seek(0)
            lines = shown.read().splitlines()
            due = [fault for fault in due if f"{fault.text} {occasion}" not in lines]
            shown.writelines(f"{fault.text} {occasion}\n" for fault in due)
        return due
