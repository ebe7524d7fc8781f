"""LlavaEngine: a picture in, a SceneDescription out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cinecut.errors import InferenceError, UsageError
from cinecut.inference.asking import NoReplyError, ServerLostError
from cinecut.inference.gpu.preflight import Device, gpu_of_ones_own
from cinecut.inference.gpu.slots import SlotPlan
from cinecut.inference.model.vision_model import read_vision_model
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.attempts import Attempts, Body, Read, Told
from cinecut.inference.question.chat import ServerBusyError, ask
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.question.reply import read_reply
from cinecut.inference.server.child import SILENCE_LIMIT_S, LlamaServer
from cinecut.inference.server.devices import device_of
from cinecut.inference.server.launch import Launch, needed_to_start_mib, plan_launch, sees_a_gpu
from cinecut.inference.server.listening import notice_of_left_out
from cinecut.inference.server.log import empty_log
from cinecut.inference.server.program import find_llama_server, require_pictures
from cinecut.inference.server.proof import prove_that_it_sees
from cinecut.inference.server.rehearsal import rehearse
from cinecut.inference.server.supervisor import Supervisor
from cinecut.inference.vram import NamedGpu
from cinecut.models import KeyframeRecord, Skip


class LlavaEngine:
    """One llama-server with a vision model, for the length of a `with` block.

    Entering checks GPU memory, takes the GPU's lock and starts the server; leaving ends the
    server and then frees the lock, whatever happened. Inside the block any number of threads may
    call `describe` and `describe_frame`; the server works on `slots` pictures at once. A server
    that dies or hangs is started anew and asked again.
    """

    # Class-level defaults: an engine for a server that somebody else started has only base_url.
    base_url: str = ""
    """Where the server answers: `http://127.0.0.1:PORT`; empty outside the block."""
    slots: int = 1
    """How many pictures the server works on at once."""
    _supervisor: Supervisor | None = None
    _api_key: str | None = None
    _prompt: Prompt = Prompt(uses_grammar=False)
    model_name: str | None = None

    def __init__(
        self,
        model_path: Path,
        mmproj_path: Path,
        *,
        llama_server: str | Path | None = None,
        device: Device = "auto",
        gpu: str | None = None,
        cores: int | None = None,
        slots: int | None = None,
        prompt: Prompt | None = None,
        log_path: Path | None = None,
        task: str = "describing pictures",
        skip_vram_check: bool = False,
        silence_limit_s: float = SILENCE_LIMIT_S,
        on_notice: Callable[[str], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what is needed; nothing is started before the block is entered.

        Args:
            model_path: The language model, a GGUF file.
            mmproj_path: The multimodal projector that belongs to it, a GGUF file.
            llama_server: Program to run; None looks on the PATH, then for the package's own.
            device: "gpu" insists on a GPU, "cpu" leaves it alone, "auto" takes what is there.
            gpu: Index or UUID of the GPU; None takes the emptiest one that may be used.
            cores: How many CPU cores the server may use; None leaves it all of them.
            slots: How many pictures the server works on at once; None chooses.
            prompt: What to ask; None asks for the four fields in English.
            log_path: Where the server writes; None chooses a temporary file.
            task: What to tell another process that waits for the GPU.
            skip_vram_check: Start even where nobody can tell how much GPU memory is free.
            silence_limit_s: Seconds that a loading server may show no sign of life.
            on_notice: Called with a sentence for the user, from the thread that enters.
            is_cancelled: Asked while waiting for the GPU or for the server to be ready; True
                raises KeyboardInterrupt.
        """
        if slots is not None and slots < 1:
            raise UsageError(f"{slots} slots: there must be at least one.")
        self.model_path, self.mmproj_path = Path(model_path), Path(mmproj_path)
        self.plan: SlotPlan | None = None
        """How many slots were planned and why; None before the block."""
        self.program_version = "unknown"
        self.on_gpu = False
        """Whether the model runs on a GPU of any make."""
        self.picture_side_px: int | None = None
        """The longest side that the model looks at; None where it takes pictures as they are."""
        self._llama_server, self._device, self._gpu = llama_server, device, gpu
        self._cores, self._slots = cores, slots
        self._prompt = prompt or Prompt()
        self._log_path, self._task = log_path, task
        self._skip_vram_check, self._silence_limit_s = skip_vram_check, silence_limit_s
        self._on_notice, self._is_cancelled = on_notice, is_cancelled
        self._resources = ExitStack()

    def __enter__(self) -> LlavaEngine:
        """Check GPU memory, take the lock, start the server and see that it can see.

        Raises:
            VramError: Too little GPU memory is free, or nobody can tell how much.
            ModelError: A model file is missing or no GGUF.
            ServerNotFoundError: There is no llama-server.
            InferenceError: The server does not start, or cannot describe pictures.
        """
        with ExitStack() as resources:
            gpu = resources.enter_context(
                gpu_of_ones_own(
                    self._gpu,
                    self._device,
                    lambda: needed_to_start_mib(
                        self.model_path, self.mmproj_path, self._prompt, self._slots
                    ),
                    skips_check=self._skip_vram_check,
                    task=self._task,
                    on_notice=self._on_notice,
                    is_cancelled=self._is_cancelled,
                )
            )
            model = read_vision_model(self.model_path, self.mmproj_path)
            program = find_llama_server(self._llama_server)
            require_pictures(program)
            self._prompt = replace(self._prompt, caches=not program.is_early)
            self._plan_moments(model.takes_several, model.picture.most)
            self.program_version = program.version
            self.on_gpu = sees_a_gpu(program, gpu, self._device, self._on_notice)
            self.picture_side_px = model.picture.side_to_send_px(
                is_limited=program.knows("--image-max-tokens")
            )
            named = gpu if isinstance(gpu, NamedGpu) else None
            own = device_of(program, named, self._on_notice) if named and self.on_gpu else None
            plan = partial(
                plan_launch,
                program,
                model,
                self._prompt,
                gpu=named,
                on_gpu=self.on_gpu,
                slots=self._slots,
                cores=self._cores,
                own_device=own.name if own else None,
            )
            log_path = resources.enter_context(empty_log(self._log_path))
            launch = plan()
            if notice := notice_of_left_out(launch.environment):
                self._on_notice(notice)
            supervisor = self._start(launch, log_path, resources)
            self._prompt, tokens = rehearse(
                supervisor.server, self._prompt, model, self.picture_side_px, self._on_notice
            )
            if self._prompt.context_for(tokens or 0) > launch.plan.context_per_slot:
                supervisor.stop()
                supervisor = self._start(plan(prompt_tokens=tokens), log_path, resources)
            self._supervisor, self.slots = supervisor, supervisor.slots
            self.base_url = supervisor.server.base_url
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, then free the lock."""
        try:
            self._resources.close()
        finally:
            self._supervisor, self.base_url = None, ""

    def _plan_moments(self, takes_several: bool, picture_tokens: int | None) -> None:
        self._prompt = replace(self._prompt, takes_several=takes_several)
        if cost := self._prompt.cost_of_moments(picture_tokens):
            self._on_notice(cost)

    def _start(self, launch: Launch, log_path: Path, resources: ExitStack) -> Supervisor:
        self.plan = launch.plan
        supervisor = Supervisor(
            launch,
            log_path,
            self.model_path,
            prove=lambda server: prove_that_it_sees(
                server, self._prompt, launch, self.picture_side_px
            ),
            silence_limit_s=self._silence_limit_s,
            on_notice=self._on_notice,
            is_cancelled=self._is_cancelled,
        )
        resources.callback(supervisor.stop)
        supervisor.start()
        return supervisor

    def describe_frame(
        self, record: KeyframeRecord, timeout_s: float = 60.0
    ) -> SceneDescription | None:
        """Return what the model says about a keyframe, or None for a reply that says nothing.

        The picture is sent as it lies on the disk. None also stands for a picture that cannot
        be read and for a server that does not reply within `timeout_s` seconds; `describe` tells
        these apart.
        """
        try:
            outcome = self.describe(Path(record.frame_path).read_bytes(), timeout_s)
        except (OSError, InferenceError):
            return None
        return outcome if isinstance(outcome, SceneDescription) else None

    @property
    def prompt(self) -> Prompt:
        """What is asked about every picture."""
        return self._prompt

    def describe(
        self,
        pictures: bytes | Sequence[bytes],
        timeout_s: float = 60.0,
        said: str = "",
        note: str = "",
    ) -> SceneDescription | Skip:
        """Return what the model says about a JPEG, or several of a shot, or why it says nothing.

        A bad reply is asked for once more with another seed, which costs little: the picture is
        still in the slot's cache. A server that is lost is started anew and asked again.

        Args:
            pictures: The JPEG, at the size to send; several stand in time order.
            timeout_s: Seconds for all the asking together; a restart of the server starts the
                count again.
            said: What the prompt has made of the dialogue: see `Prompt.words_at`.
            note: What the pictures have to do with each other: see `Prompt.note_on`.

        Raises:
            InferenceError: Nothing can be described: a wrong key, no vision, a dead server.
        """
        return self.ask(
            Attempts[SceneDescription](timeout_s),
            lambda attempts: self._prompt.body(
                *(pictures, attempts.seed, self.model_name, said, note),
                is_afresh=attempts.is_afresh,
            ),
            partial(read_reply, reads_text=self._prompt.reads_text),
        )

    def ask(self, attempts: Attempts[Told], body: Body[Told], read: Read[Told]) -> Told | Skip:
        """Ask for chat completions until `read` makes a last word of one; raises as `describe`."""
        outcome: Told | Skip | None = None
        while outcome is None:
            with self._turn(is_last=attempts.is_last_loss):
                outcome = self._attempt(attempts, body(attempts), read)
            time.sleep(attempts.pause_s)
        return outcome

    @property
    def server(self) -> LlamaServer | None:
        """The child of this block; None outside it, and for a server of somebody else."""
        return self._supervisor.server if self._supervisor else None

    def place(self) -> tuple[str, str | None]:
        """Return where the server is now, and the key that it wants."""
        here = self.server
        return (here.base_url, here.api_key) if here else (self.base_url, self._api_key)

    def _turn(self, *, is_last: bool) -> AbstractContextManager[object]:
        """Return what a picture holds while it is asked about, and its server is started anew."""
        return self._supervisor.alone if self._supervisor and is_last else nullcontext()

    def _attempt(
        self, attempts: Attempts[Told], body: dict[str, Any], read: Read[Told]
    ) -> Told | Skip | None:
        """Ask once, with a new server at hand if this one is lost, and return the last word."""
        server, began_s, seconds = self.server, time.monotonic(), attempts.begin()
        root, key = self.place()
        try:
            outcome = ask(f"{root}/v1/chat/completions", key, body, seconds, read, attempts.follow)
        except ServerBusyError as error:
            return attempts.after_busy(error)
        except (NoReplyError, ServerLostError) as error:
            is_new = server is not None and self._revive(
                server, began_s, is_silent=isinstance(error, NoReplyError)
            )
            return attempts.after_loss(error, is_new=is_new)
        if self._supervisor:
            self._supervisor.note_reply()
        return attempts.after_reply(outcome)

    def _revive(self, server: LlamaServer, since_s: float, *, is_silent: bool) -> bool:
        if self._supervisor is None:
            raise InferenceError("The engine was closed.")
        is_new = self._supervisor.revive(server, since_s, is_silent=is_silent)
        if is_new:
            self.base_url = self._supervisor.server.base_url
        return is_new
