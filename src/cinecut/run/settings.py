"""Everything that a run of `describe` may be told, in one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cinecut.film.keyframes import KeyframeSettings
from cinecut.film.reading.hardware import Hardware
from cinecut.inference.gpu.preflight import Device
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.server.child import SILENCE_LIMIT_S

Decode = Literal["auto", "cpu"] | Hardware
"""What is to decode films: "auto" takes the first hardware that is there."""


@dataclass(frozen=True)
class RunSettings:
    """How films are described; the same for all films of a command."""

    model: Path | None = None
    """The language model; None where a server that runs already has one."""
    mmproj: Path | None = None
    server_url: str | None = None
    """A server that runs already; None starts one."""
    server_model: str | None = None
    """Which of that server's models; None takes the only one."""
    server_prefers: str | None = None
    """Which of them, if none was named and the server has it."""
    api_key: str | None = field(default=None, repr=False)
    llama_server: str | None = None
    """Program to run; None looks on the PATH, then for the package's own."""
    device: Device = "auto"
    gpu: str | None = None
    """Index or UUID of the GPU; None takes the emptiest one that may be used."""
    cores: int | None = None
    """CPU cores that the model may use; None takes all of them."""
    slots: int | None = None
    """Pictures described at once; None chooses by memory or cores."""
    skip_vram_check: bool = False
    silence_limit_s: float = SILENCE_LIMIT_S
    timeout_s: float | None = None
    """Seconds for one frame; None gives a GPU 60 and a CPU 600."""
    proof: bool = False
    """Whether the model is shown a known picture first, to warn of one that writes nonsense."""
    keyframes: KeyframeSettings = field(default_factory=KeyframeSettings)
    decode: Decode = "cpu"
    """No setting of the keyframes: they are the same whatever decodes them."""
    prompt: Prompt = field(default_factory=Prompt)
    output_dir: Path | None = None
    """Where results folders go; None puts each beside its film."""
    roots: tuple[Path, ...] = ()
    """The folders that were looked through: `output_dir` gets the folders of films in them too."""
    formats: tuple[str, ...] = ()
    """Exports to write of each complete film."""
    summary: bool = False
    """Whether the model is also to tell what each film is, chapter by chapter."""
    fresh: bool = False
    """Begin anew whatever an earlier run has left."""
