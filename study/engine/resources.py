"""CPUs and GPUs of one trial, and the number of trials that run at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from study.errors import InputError
from study.spec import ResourcesSpec, StudySpec

Nodes = Sequence[Mapping[str, float]]
"""The resources of each node of a cluster by name: CPU, GPU."""


@dataclass(frozen=True)
class Resources:
    """CPUs and GPUs of one trial, and how many trials run at once."""

    cpus: int
    gpus: float
    concurrent: int

    @property
    def device(self) -> torch.device:
        """The device of this process: CUDA if the trial has a share of a GPU and there is one.

        Ray does not hide GPUs from processes without a share of one.
        """
        return torch.device("cuda" if self.gpus and torch.cuda.is_available() else "cpu")


def describe(requested: ResourcesSpec) -> str:
    """Returns the resources of a trial in words, before the cluster is known."""
    gpus = "one GPU if there are any" if requested.gpus_per_trial is None else None
    gpus = gpus or f"{requested.gpus_per_trial:g} GPU"
    return f"{requested.cpus_per_trial or 1} CPU and {gpus}"


def concurrent_trials(cpus: int, gpus: float, nodes: Nodes) -> int:
    """Returns how many trials of this size fit at once, each into one node."""
    return sum(_concurrent_trials(cpus, gpus, node) for node in nodes)


def _concurrent_trials(cpus: int, gpus: float, node: Mapping[str, float]) -> int:
    by_cpu, here = int(node.get("CPU", 0.0) // cpus), node.get("GPU", 0.0)
    if not gpus:
        return by_cpu
    shares = int(1 / gpus + 1e-9)  # Per GPU; 1 / 0.1 must give 10 despite rounding.
    return min(by_cpu, int(here // gpus) if gpus >= 1 else int(here) * shares)


def resources(spec: StudySpec, nodes: Nodes) -> Resources:
    """Returns the resources of a trial: the spec's, else one CPU and one GPU if there are any.

    Raises:
        InputError: not even one trial fits.
    """
    requested = spec.resources
    cpus = requested.cpus_per_trial or 1
    most = {
        name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in ("CPU", "GPU")
    }
    gpus = requested.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if most["GPU"] else 0.0
    fit = concurrent_trials(cpus, gpus, nodes)
    if fit < 1:
        raise InputError(
            f"resources: one trial must fit into one node of the cluster, but got {cpus} CPU and "
            f"{gpus:g} GPU, where a node has up to {most['CPU']:g} CPU and {most['GPU']:g} GPU; "
            "lower --cpus-per-trial or --gpus-per-trial"
        )
    return Resources(cpus, gpus, min(fit, requested.max_concurrent or fit))
