"""What one trial gets of the cluster, and how many trials run at once."""

from dataclasses import dataclass

import torch

from study.errors import InputError
from study.spec import ResourcesSpec, StudySpec


@dataclass(frozen=True)
class Resources:
    """What one trial gets, and how many run at once."""

    cpus: int
    gpus: float
    concurrent: int

    @property
    def device(self) -> torch.device:
        """Where a trial trains, asked where it does: a trial without a share of a GPU on the CPU.

        Ray does not hide the GPUs from processes that have none.
        """
        return torch.device("cuda" if self.gpus and torch.cuda.is_available() else "cpu")


def describe(asked: ResourcesSpec) -> str:
    """Returns what a spec asks for a trial, before there is a cluster to ask."""
    gpus = "one GPU where there are any" if asked.gpus_per_trial is None else None
    gpus = gpus or f"{asked.gpus_per_trial:g} GPU"
    return f"{asked.cpus_per_trial or 1} CPU and {gpus}"


def resources(spec: StudySpec, available: dict[str, float]) -> Resources:
    """Returns what a trial gets: one GPU if there are any, else one CPU, unless the spec says.

    Raises:
        InputError: not even one trial fits.
    """
    asked = spec.resources
    cpus = asked.cpus_per_trial or 1
    gpus_here = available.get("GPU", 0.0)
    gpus = asked.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if gpus_here else 0.0
    room = int(available.get("CPU", 0.0) // cpus)
    if gpus:
        shares = int(1 / gpus + 1e-9)  # Of one GPU; 1 / 0.1 must be 10 whatever the rounding.
        room = min(room, int(gpus_here // gpus) if gpus >= 1 else int(gpus_here) * shares)
    if room < 1:
        raise InputError(
            f"resources: one trial must fit into the cluster, but it asks for {cpus} CPU and "
            f"{gpus:g} GPU of {available.get('CPU', 0):g} CPU and {gpus_here:g} GPU; lower "
            "--cpus-per-trial or --gpus-per-trial"
        )
    return Resources(cpus, gpus, min(room, asked.max_concurrent or room))
