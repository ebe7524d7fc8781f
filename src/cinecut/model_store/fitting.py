"""Says which model of the catalogue is the right one for a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cinecut.errors import MachineError
from cinecut.model_store.catalogue import CATALOGUE, CatalogueModel
from cinecut.model_store.hardware import Hardware, the_cpu

# For what else needs it: a desktop on the GPU, the system and the browser in main memory.
_SPARE_MIB: Final = {"GPU": 512, "CPU": 2048}


@dataclass(frozen=True)
class Advice:
    """The model to take, and why, as the end of a sentence."""

    entry: CatalogueModel
    why: str


def fits(entry: CatalogueModel, hardware: Hardware) -> bool | None:
    """Whether the memory is enough for one picture at a time; None where nobody tells."""
    if hardware.memory_mib is None:
        return None
    return entry.memory_mib + _SPARE_MIB[hardware.place] <= hardware.memory_mib


def suitability(entry: CatalogueModel, hardware: Hardware) -> tuple[int, int]:
    """Return how well a model suits the machine: of several the one with the most is right.

    The largest that is meant for so much memory, else the largest that fits it, else the
    smallest. A CPU is slow before it is full: of what only fits, it takes the smallest.
    """
    size = CATALOGUE.index(entry)
    if _is_meant_for(entry, hardware):
        return 2, size
    if fits(entry, hardware):
        return 1, size if hardware.place == "GPU" else -size
    return 0, -size


def advise(hardware: Hardware) -> Advice:
    """Return the model to take on this machine.

    Raises:
        MachineError: None fits.
    """
    best = max(CATALOGUE, key=lambda entry: suitability(entry, hardware))
    if _is_meant_for(best, hardware):
        return Advice(best, f"the right one for {hardware}")
    if hardware.place == "GPU":
        entry = advise(the_cpu()).entry
        if hardware.memory_mib is None:
            why = f"which also runs on the CPU, for nobody tells the memory of {hardware.name}"
        else:
            why = f"for the CPU (--device cpu), because {hardware} is too small for any"
        return Advice(entry, why)
    if hardware.memory_mib is None:
        return Advice(best, "the smallest, for nobody tells how much main memory there is")
    raise MachineError(
        f"No model is meant for {hardware}: {best.name}, the smallest, needs "
        f"{best.memory_mib / 1024:.1f} GiB and what the system takes.",
        check="cinecut models list",
        tip=f"If you know better, name one: cinecut models pull {best.name}",
    )


def _is_meant_for(entry: CatalogueModel, hardware: Hardware) -> bool:
    from_mib = entry.from_gpu_mib if hardware.place == "GPU" else entry.from_ram_mib
    memory_mib = hardware.memory_mib
    return from_mib is not None and memory_mib is not None and memory_mib >= from_mib
