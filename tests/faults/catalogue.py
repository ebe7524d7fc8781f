"""All the faults, and what is expected of CineCut under each of them."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from faults import nvidia_smi, strikes
from faults.trial import Fault, Trial
from wrappers import WRAPPERS

_DONE: Final = frozenset({0})
_FAILED: Final = frozenset({1})
_INTERRUPTED: Final = frozenset({130})

_HURRY: Final = ("--timeout", "4")
_SLOW_LOAD: Final = {"CINECUT_MOCK_LOAD_S": "1.2"}
_GPU: Final = {"CINECUT_MOCK_DEVICES": "CUDA0: A GPU (81559 MiB, 80000 MiB free)"}
_TWO_GPUS: Final = nvidia_smi.answering(300, 9000)

_WHOLE: Final = "exit 0, every frame described"
_AGAIN: Final = "asked again: exit 0, every frame described"
_ANEW: Final = "started anew: exit 0, every frame described"


def _fault(name: str, expected: str, exits: frozenset[int], **more: Any) -> Fault:
    return Fault(name, expected, exits, **more)


def _cinecut_dies() -> list[Fault]:
    killed = frozenset({-signal.SIGKILL})
    # A server that ignores SIGTERM makes the stop long enough to strike in it.
    deaf = {"stop": {"mock": "deaf"}}
    return [
        _fault(
            f"CineCut: SIGKILL at {when}",
            "the server ends too; resumed, nothing lost",
            killed,
            strike=partial(strikes.signal_cinecut, signal.SIGKILL, moment),
            **deaf.get(when, {}),
        )
        for when, moment in strikes.MOMENTS.items()
    ] + [
        _fault(
            "CineCut: SIGKILL in a restart of the server",
            "the server ends too; resumed, nothing lost",
            killed,
            mock="kill@{n}",
            environment=_SLOW_LOAD,
            strike=partial(strikes.signal_cinecut, signal.SIGKILL, strikes.in_a_restart),
        )
    ]


def _cinecut_is_interrupted() -> list[Fault]:
    expected = "exit 130; resumed, nothing lost"
    signals = {"SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP, "SIGINT": signal.SIGINT}
    return [
        *(
            _fault(
                f"CineCut: {name}",
                expected,
                _INTERRUPTED,
                strike=partial(strikes.signal_cinecut, number, strikes.anywhere),
            )
            for name, number in signals.items()
        ),
        _fault(
            "CineCut: SIGINT in a restart of the server",
            expected,
            _INTERRUPTED,
            mock="kill@{n}",
            environment=_SLOW_LOAD,
            strike=partial(strikes.signal_cinecut, signal.SIGINT, strikes.in_a_restart),
        ),
        _fault(
            "CineCut: SIGINT while the server hangs",
            expected,
            _INTERRUPTED,
            mock="freeze@{n}",
            strike=partial(strikes.signal_cinecut, signal.SIGINT, strikes.while_it_hangs),
        ),
        _fault("CineCut: SIGINT twice", expected, _INTERRUPTED, strike=strikes.interrupt_twice),
        _fault(
            "terminal: Ctrl-C",
            expected,
            _INTERRUPTED,
            in_terminal=True,
            strike=strikes.press_ctrl_c,
        ),
        _fault(
            "terminal: closed",
            expected,
            _INTERRUPTED,
            in_terminal=True,
            strike=strikes.close_terminal,
        ),
        _fault(
            "CineCut: SIGSTOP, SIGCONT seconds later",
            _WHOLE,
            _DONE,
            options=_HURRY,
            strike=strikes.stop_and_continue,
        ),
    ]


def _clock_is_set() -> list[Fault]:
    preload = 'LD_PRELOAD="$HOME/clock.so" CLOCK_IS_SET="$HOME/set" exec "$@"'
    return [
        _fault(f"clock: set an hour {way} in mid-run", _WHOLE, _DONE, options=_HURRY,
               shell=preload, environment={"CLOCK_OFFSET_S": offset_s},
               says=r"described in 0:\d\d \(\d+\.\d+ frames/s\)",
               strike=strikes.set_clock, is_for_soak=True)
        for way, offset_s in {"back": "-3600", "forward": "3600"}.items()
    ]  # fmt: skip


def _wrapper() -> list[Fault]:
    killed = "nothing is left; resumed, nothing lost"
    ends = {
        "SIGKILL of CineCut": (frozenset({-signal.SIGKILL}), killed,
                               partial(strikes.signal_cinecut, signal.SIGKILL, strikes.anywhere)),
        "SIGTERM of CineCut": (_INTERRUPTED, f"exit 130, {killed}",
                               partial(strikes.signal_cinecut, signal.SIGTERM, strikes.anywhere)),
        "SIGKILL of the leash": (_DONE, _ANEW, partial(strikes.signal_leash, signal.SIGKILL)),
        "ends in order": (_DONE, _WHOLE, Trial.start),
    }  # fmt: skip
    return [
        _fault(f"wrapper, {way}: {end}", expected, exits,
               strike=partial(strikes.behind_wrapper, way, strike),
               is_for_soak=way == "exec" or end != "SIGKILL of CineCut")
        for way in WRAPPERS
        for end, (exits, expected, strike) in ends.items()
    ]  # fmt: skip


def _surroundings() -> list[Fault]:
    def shell(name: str, script: str, expected: str = _WHOLE, **more: Any) -> Fault:
        exits = more.pop("exits", _DONE)
        return _fault(name, expected, exits, shell=f'{script} exec "$@"', **more)

    # As root, a folder that may not be written to can be; one below a device cannot be made.
    nowhere = "/dev/null/home"
    full = {"exits": _FAILED, "says": "Failed to write to stdout"}
    return [
        shell("ulimit -n 32", "ulimit -n 32;"),
        shell("stdin and stdout closed", "exec <&- >&-;", is_for_soak=True),
        shell("stdin and stdout closed, --json", "exec <&- >&-;", options=("--json",)),
        shell("stdout: a full device", "exec >/dev/full;", "exit 1, says so; resumed",
              is_for_soak=True, **full),
        shell("stdout: a full device, --json", "exec >/dev/full;", "exit 1, says so; resumed",
              options=("--json",), **full),
        shell("stderr: a full device", "exec 2>/dev/full;", is_for_soak=True),
        shell("no HOME", "unset HOME;", is_for_soak=True),
        shell("HOME cannot be written", f"HOME={nowhere}; export HOME;"),
        shell("TMPDIR is missing", "TMPDIR=/dev/null/tmp; export TMPDIR;", is_for_soak=True),
        _fault("film: a name of 250 bytes", "exit 1, says what helps", _FAILED,
               says="File name too long(.|\n)*shorter name", is_resumed=False,
               strike=partial(strikes.name_film, b"f" * 246 + b".mp4")),
        _fault("film: a name that is not UTF-8", _WHOLE, _DONE,
               strike=partial(strikes.name_film, b"f\xff\xe4lm.mp4")),
        _fault("terminal: Ctrl-Z, fg seconds later", _WHOLE, _DONE, in_terminal=True,
               shell='set -m; "$@"; /bin/sleep 1.5; fg', strike=strikes.press_ctrl_z),
    ]  # fmt: skip


def _server_dies() -> list[Fault]:
    faults = []
    for name, number in {"SIGKILL": signal.SIGKILL, "SIGSEGV": signal.SIGSEGV}.items():
        for when, moment in strikes.SERVER_MOMENTS.items():
            is_early = when in {"start", "load"}
            faults.append(
                _fault(
                    f"server: {name} at {when}",
                    _ANEW,
                    _DONE,
                    environment=_SLOW_LOAD if is_early else {},
                    mock="deaf" if when == "stop" else "",
                    strike=partial(strikes.signal_server, number, moment),
                )
            )
    for when, moment in strikes.SERVER_MOMENTS.items():
        is_early = when in {"start", "load"}
        faults.append(
            _fault(
                f"server: SIGSTOP at {when}",
                "exit 1, says no sign of life" if is_early else _ANEW,
                _FAILED if is_early else _DONE,
                says="no sign of life for 3 s" if is_early else "",
                options=("--load-timeout", "3", *_HURRY),
                environment=_SLOW_LOAD if is_early else {},
                mock="deaf" if when == "stop" else "",
                strike=partial(strikes.signal_server, signal.SIGSTOP, moment),
            )
        )
    return [
        *faults,
        _fault("server: dies at every 4th request", _ANEW, _DONE, mock="kill@4",
               strikes_once=False, says="has died: starting it anew"),
        _fault("server: dies at every request", "exit 1 after 3 restarts", _FAILED, mock="kill@1-",
               skips=frozenset({"server_error"}),
               strikes_once=False, says="failed 4 times without one reply"),
        _fault("server: ignores SIGTERM", _WHOLE, _DONE, mock="deaf"),
    ]  # fmt: skip


def _server_does_not_start() -> list[Fault]:
    reasons = {
        "oom": "Memory ran out",
        "oom-vulkan": "Memory ran out",
        "damaged": "The model file is damaged",
        "unknown-architecture": "does not know the model's architecture",
        "mmproj-mismatch": "The mmproj does not fit the model",
        "port-taken": "The port was taken",
        "missing-library": "A library that llama-server needs is missing",
        "old-driver": "The GPU driver is too old",
    }
    return [
        *(
            _fault(f"server: fails to load, {reason}", f"exit 1: {said}", _FAILED,
                   mock=f"fail={reason}@load", says=said)
            for reason, said in reasons.items()
        ),
        _fault("server: exits while loading", _ANEW, _DONE, mock="exit=3@load"),
        _fault("server: exits whenever it loads", "exit 1, says so", _FAILED, mock="exit=3@load",
               strikes_once=False, says="ended with exit code 3 while starting"),
        _fault("server: runs another model", "exit 1, says which", _FAILED, mock="impostor",
               says="another model: another-model.gguf"),
        _fault("server: has no vision", "exit 1, says so", _FAILED, mock="blind",
               says="has no vision"),
        _fault("server: writes nonsense", f"says so; {_WHOLE}", _DONE, mock="garbage",
               says="which is no language"),
        _fault("another service on the port", "exit 1, says so", _FAILED,
               says="does not tell its properties", strike=strikes.answer_in_its_place),
    ]  # fmt: skip


def _replies_go_wrong() -> list[Fault]:
    def once(name: str, mock: str, **more: Any) -> Fault:
        return _fault(f"reply: {name}", _AGAIN, _DONE, mock=mock, **more)

    def always(name: str, mock: str, reason: str) -> Fault:
        return _fault(f"reply: {name}", f"exit 0, skipped as {reason}", _DONE, mock=mock,
                      strikes_once=False, skips=frozenset({reason}))  # fmt: skip

    late = _fault("reply: an hour late", "exit 0, that frame skipped as timeout", _DONE,
                  mock="stall@{n}", options=_HURRY, skips=frozenset({"timeout"}))  # fmt: skip
    long = Fault("reply: never one that counts", "exit 1 after 20 equal skips; nothing lost",
                 _FAILED, mock="bad-json", strikes_once=False,
                 says="20 frames in a row were skipped as malformed", is_long=True)  # fmt: skip
    return [
        once("500 twice", "500@{n},{m}"),
        once("503 three times", "503@1-3"),
        once("429 twice", "429@{n},{m}"),
        once("half of it", "half@{n},{m}"),
        once("100 MB", "huge=100M@{n}"),
        once("invalid UTF-8", "bad-utf8@{n},{m}"),
        once("a closed socket", "closed@{n},{m}"),
        once("Content-Length too small", "length=-20@{n},{m}"),
        once("not JSON", "bad-json@{n},{m}"),
        once("cut off", "truncated@{n},{m}"),
        once("JSON and no completion", "empty@{n},{m}"),
        always("500 for every second", "500@50%", "server_error"),
        always("not JSON for every second", "bad-json@50%", "malformed"),
        late,
        Fault("reply: Content-Length too large", late.expected, _DONE, mock="length=+20@{n}",
              options=_HURRY, skips=frozenset({"timeout"})),
        _fault("reply: each seconds late", "exit 0, none skipped", _DONE, mock="stall=1@1-4"),
        long,
    ]  # fmt: skip


def _machine() -> list[Fault]:
    return [
        _fault("disk full", "exit 1, says so; resumed, nothing lost", _FAILED,
               says="No space left on device|File too large", strike=strikes.fill_disk),
        _fault("disk read-only", "exit 1, says so; resumed, nothing lost", _FAILED,
               says="Read-only file system|Permission denied", strike=strikes.lock_disk),
        _fault("a large log while loading", _WHOLE, _DONE, mock="log={log}@load"),
        _fault("a large log while describing", _WHOLE, _DONE, mock="log={log}@{n}"),
        _fault("a second CineCut, the same film", "it waits, says for whom, and is done", _DONE,
               strike=strikes.start_another_on_the_same_film),
        _fault("a second CineCut, another film", "it waits, says for whom, and is done", _DONE,
               strike=strikes.start_another_on_another_film),
        _fault("a second CineCut, the first is killed", "it goes on", frozenset({-signal.SIGKILL}),
               strike=strikes.start_another_and_die),
        _fault("stdout: its reader goes away", "exit 1; resumed, nothing lost", _FAILED,
               into_pipe=True, strike=strikes.close_stdout),
    ]  # fmt: skip


def _gpu() -> list[Fault]:
    def smi(name: str, expected: str, exits: frozenset[int], script: Any, **more: Any) -> Fault:
        environment: Mapping[str, str] = {**_GPU, **more.pop("environment", {})}
        return Fault(f"nvidia-smi: {name}", expected, exits, nvidia_smi=script,
                     environment=environment, **more)  # fmt: skip

    return [
        smi("missing", _WHOLE, _DONE, None),
        smi("missing under --device gpu", "exit 1, says so", _FAILED, None, environment={
            "CINECUT_MOCK_DEVICES": ""}, options=("--device", "gpu"), says="was not found"),
        smi("hangs", "exit 1 after 20 s, says so", _FAILED, nvidia_smi.HANGING,
            says="gave no answer within 20 s"),
        smi("prints [N/A]", "exit 1, says so", _FAILED, nvidia_smi.NOT_TELLING,
            says="does not tell how much memory is free"),
        smi("prints [N/A] under --skip-vram-check", _WHOLE, _DONE, nvidia_smi.NOT_TELLING,
            options=("--skip-vram-check",)),
        smi("fails", "exit 1, says what it said", _FAILED, nvidia_smi.FAILING,
            says="exit code 9: NVIDIA-SMI has failed"),
        smi("lists no GPU", _WHOLE, _DONE, nvidia_smi.WITHOUT_DEVICES),
        smi("several GPUs", "the emptiest is taken", _DONE, _TWO_GPUS,
            strike=partial(strikes.expect_gpu, "1")),
        smi("several GPUs, one is allowed", "exit 1, that one is short of memory", _FAILED,
            _TWO_GPUS, environment={"CUDA_VISIBLE_DEVICES": "0"}, says="300 MiB free on GPU 0"),
        smi("too little memory", "exit 1, says how much", _FAILED, nvidia_smi.answering(300),
            says=r"\d+ MiB needed, 300 MiB free on GPU 0"),
        smi("memory comes back", "waits; " + _WHOLE, _DONE,
            partial(nvidia_smi.growing, step_mib=300)),
        smi("a GPU that the server does not see", "says so; " + _WHOLE, _DONE,
            nvidia_smi.answering(9000), environment={"CINECUT_MOCK_DEVICES": ""},
            says="does not see it"),
    ]  # fmt: skip


FAULTS: Final = (
    *_cinecut_dies(),
    *_cinecut_is_interrupted(),
    *_clock_is_set(),
    *_wrapper(),
    *_surroundings(),
    *_server_dies(),
    *_server_does_not_start(),
    *_replies_go_wrong(),
    *_machine(),
    *_gpu(),
)
