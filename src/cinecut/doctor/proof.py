"""Proves that `describe` works: one frame of the demo film is described, by the demo model."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final

from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_PATH
from cinecut.doctor.examination import guarded
from cinecut.doctor.finding import Finding, failure, ok, warning
from cinecut.doctor.machine import Machine
from cinecut.doctor.surroundings import check_codecs, check_lock
from cinecut.errors import CineCutError, InferenceError
from cinecut.inference.attached import AttachedEngine
from cinecut.inference.engine import LlavaEngine
from cinecut.inference.question.nonsense import is_nonsense
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.program import ServerProgram, require_pictures
from cinecut.inference.server.rehearsal import count_prompt_tokens, render
from cinecut.models import Skip

_READY_WITHIN_S: Final = 300.0  # a GPU that another CineCut has just taken is not waited for
_FRAME_TIMEOUT_S: Final = 120.0  # a GPU's first picture may cost it the making of its programs
_MEND: Final = "Update llama-server, or take the package's own: pip install 'cinecut[server]'"


def prove(
    machine: Machine,
    on_check: Callable[[str], None] = lambda _: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, Finding]]:
    """Yield what came of starting the server, of what it tells, and of the first description.

    The server is started as `describe` starts it, with the same checks; it has ended when the
    last finding was taken. A server that runs already is asked for a description alone. After a
    failure nothing more is tried, and nothing at all where `CHECKS` have told already that there
    is no llama-server or no PyAV.

    Args:
        machine: Whose llama-server.
        on_check: Told the name of a step before it begins.
        is_cancelled: Asked while the server starts; True ends that with KeyboardInterrupt.
    """
    if check_codecs(machine).state == "failure":
        return
    with ExitStack() as resources:
        proof = _Proof(resources, is_cancelled)
        if machine.server_url is not None:
            steps = {"a description": proof.ask_somebody_elses}
        elif _takes_pictures(machine.program):
            steps = {
                "its start": proof.start,
                "its contract": proof.check_contract,
                "a description": proof.describe,
            }
        else:
            return
        for name, step in steps.items():
            on_check(name)
            finding = guarded(_told(step), machine)
            yield name, finding
            if finding.state == "failure":
                return


class _Proof:
    """One server and one picture, and what they have shown so far."""

    def __init__(self, resources: ExitStack, is_cancelled: Callable[[], bool]) -> None:
        self._resources, self._is_cancelled = resources, is_cancelled
        self._engine: LlavaEngine | None = None
        self._notices: list[str] = []
        self._ready_by_s = math.inf

    def start(self, machine: Machine) -> Finding:
        """Start the server as `describe` does, with the demo model."""
        lock = check_lock(machine)
        if lock is not None and lock.mend is not None:
            return failure(f"Nothing was proven: {lock.found}", lock.mend)
        began_s = time.monotonic()
        self._ready_by_s = began_s + _READY_WITHIN_S
        engine = LlavaEngine(
            MODEL_PATH,
            MMPROJ_PATH,
            llama_server=machine.llama_server,
            device=machine.device,
            gpu=machine.selector,
            slots=1,
            task="cinecut doctor",
            skip_vram_check=machine.skips_vram_check,
            on_notice=self._notices.append,
            is_cancelled=lambda: self._is_cancelled() or time.monotonic() > self._ready_by_s,
        )
        try:
            self._engine = self._resources.enter_context(engine)
        except KeyboardInterrupt:
            if self._is_cancelled():
                raise
            late = f"llama-server was not ready within {_READY_WITHIN_S:.0f} s."
            return failure(" ".join([late, *self._notices]), _MEND)
        seconds, self._ready_by_s = time.monotonic() - began_s, math.inf
        place = "a GPU" if engine.on_gpu else "the CPU"
        found = f"{engine.program_version}: ready with the demo model on {place} in {seconds:.1f} s"
        return ok(". ".join([found, *self._notices]), seconds)

    def check_contract(self, machine: Machine) -> Finding:
        """Look at what the started server tells of all that `describe` asks it about."""
        server = self._engine.server if self._engine else None
        if server is None:
            raise InferenceError("llama-server has ended.")
        props = server.get_props()
        settings, modalities = (
            props.get(name) for name in ("default_generation_settings", "modalities")
        )
        prompt, side_px = Prompt(), self._engine.picture_side_px if self._engine else None
        # Where it tells, the engine has held it to that; a wrong key it has tried in any case.
        tells = {
            "its model": True,
            "its slots": isinstance(props.get("total_slots"), int),
            "a slot's context": isinstance(settings, dict) and "n_ctx" in settings,
            "that it sees": isinstance(modalities, dict),
            "the prompt as it reads it": render(server.ask, prompt) is not None,
            "what a picture costs": count_prompt_tokens(server, prompt, side_px, insists=False)
            is not None,
        }
        told = ", ".join(what for what, is_told in tells.items() if is_told)
        found = f"it refuses a wrong key and tells {told}, as describe needs it"
        if untold := ", ".join(what for what, is_told in tells.items() if not is_told):
            return warning(f"{found}; it does not tell {untold}, which is taken on trust", _MEND)
        return ok(found)

    def describe(self, machine: Machine) -> Finding:
        """Have one frame of the demo film described."""
        if self._engine is None:
            raise InferenceError("llama-server has ended.")
        notices = len(self._notices)
        picture, began_s = self._picture, time.monotonic()
        outcome = self._engine.describe(picture, _FRAME_TIMEOUT_S)
        seconds = time.monotonic() - began_s
        later = self._notices[notices:]
        if isinstance(outcome, Skip):
            told = f"No valid description ({outcome.reason}): {outcome.detail}"
            return failure(" ".join([told, *later]), _MEND)
        if is_nonsense(outcome.visual_content):
            later.append("The form holds, but this is no language: a GPU that computes wrongly?")
        found = (
            f"valid, {seconds:.2f} s for the first frame of the demo film: {outcome.visual_content}"
        )
        return warning(" ".join([found, "But:", *later]), _MEND) if later else ok(found, seconds)

    def ask_somebody_elses(self, machine: Machine) -> Finding:
        """Have the frame described by a server that runs already, by its own model."""
        self._engine = self._resources.enter_context(
            AttachedEngine(
                machine.server_url or "",
                model=machine.server_model,
                prefers=machine.server_prefers,
                api_key=machine.api_key,
                is_cancelled=self._is_cancelled,
            )
        )
        return self.describe(machine)

    @cached_property
    def _picture(self) -> bytes:
        """The first keyframe of the demo film, at the size that `describe` sends."""
        from cinecut.film.keyframes import KeyframeScan, KeyframeSettings
        from cinecut.film.picture.jpeg import fit_jpeg

        with tempfile.TemporaryDirectory(prefix="cinecut-") as folder:
            with KeyframeScan(FILM_PATH, Path(folder), KeyframeSettings()) as scan:
                record = next(iter(scan))
            picture = Path(record.frame_path).read_bytes()
        side_px = self._engine.picture_side_px if self._engine else None
        return picture if side_px is None else fit_jpeg(picture, side_px)


def _told(step: Callable[[Machine], Finding]) -> Callable[[Machine], Finding]:
    """Have what a step raises told with what to check: not the log, whose end the cause holds."""

    def run(machine: Machine) -> Finding:
        try:
            return step(machine)
        except CineCutError as error:
            check = "" if ".log" in error.check else f"Check: {error.check} "
            # The usual one is about the frames of a run, and here is none.
            tip = _MEND if error.tip == InferenceError.usual_tip else error.tip
            return failure(error.cause, f"{check}{tip}")

    return run


def _takes_pictures(program: ServerProgram | CineCutError) -> bool:
    if isinstance(program, CineCutError):
        return False
    try:
        require_pictures(program)
    except InferenceError:
        return False
    return True
