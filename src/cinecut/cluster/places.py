"""Tells what a worker of a cluster asks for, and how many workers there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cinecut.errors import ClusterError
from cinecut.run.settings import RunSettings

Resources = Mapping[str, float]
"""What a machine has, by Ray's names: `CPU`, `GPU`, ..."""
Needs = dict[str, int]
"""What a worker asks for, by Ray's names: `num_gpus`, `num_cpus`."""

_USUAL_CPUS: Final = 4


def needs_of_a_worker(
    settings: RunSettings,
    machines: Sequence[Resources],
    *,
    cpus: int | None,
    on_notice: Callable[[str], None],
) -> Needs:
    """Return what each worker asks for: a GPU if there is one and it may be used, else CPUs.

    Args:
        settings: How films are described.
        machines: What each machine of the cluster has.
        cpus: CPUs for a worker without a GPU; None takes 4, or all that a machine has.
        on_notice: Told where there is no GPU and none was insisted on.

    Raises:
        ClusterError: No machine has that.
    """
    if settings.device != "cpu" and not settings.server_url:
        if _most(machines, "GPU"):
            return {"num_gpus": 1, "num_cpus": 0}
        if settings.device == "gpu":
            raise ClusterError("None of its machines has a GPU that Ray knows of.")
        on_notice("The cluster has no GPU: the model runs on CPUs, which is much slower.")
    most = _most(machines, "CPU")
    if most < (cpus or 1):
        raise ClusterError(
            f"A worker is to have {cpus or 1} CPUs, and no machine has more than {most}.",
            tip="Ask for fewer: --worker-cpus N",
        )
    return {"num_cpus": cpus or min(_USUAL_CPUS, most)}


def count_places(machines: Sequence[Resources], needs: Needs) -> int:
    """Return how many workers there is room for when nothing else runs there."""
    kind = "GPU" if "num_gpus" in needs else "CPU"
    each = needs.get("num_gpus") or needs["num_cpus"]
    return sum(int(has.get(kind, 0)) // each for has in machines)


def _most(machines: Sequence[Resources], kind: str) -> int:
    return max((int(has.get(kind, 0)) for has in machines), default=0)
