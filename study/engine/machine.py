"""The machine: its facts, for people, and its use between two reports of a worker."""

import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil
import torch


def machine() -> dict[str, str]:
    """Returns system, processor, cores, memory and GPUs of this machine as text.

    Cores are those that this process may use. On a cluster trials may run on other machines.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    names = [f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)]
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _processor(),
        "cores": f"{cores} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB memory",
        "gpus": ", ".join(names) or "no GPU",
    }


def _processor() -> str:
    """Returns the name of the processor; empty if the system does not tell."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


class Usage:
    """Measures processors, memory and GPU since the last sample; a sample takes a millisecond.

    The names are those of MLflow's system metrics.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # The first call of either returns 0.
        psutil.cpu_percent()

    def sample(self) -> dict[str, float]:
        """Returns percentages and megabytes: of the machine, of this process, of its GPU."""
        memory = psutil.virtual_memory()
        values = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / 1e6,
            "system_memory_usage_percentage": memory.percent,
            "worker_cpu_utilization_percentage": self._process.cpu_percent(),
            "worker_memory_usage_megabytes": self._process.memory_info().rss / 1e6,
        }
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # The trial is on a GPU.
            values |= _gpu()
        return {name: round(value, 1) for name, value in values.items()}


def _gpu() -> dict[str, float]:
    free, total = torch.cuda.mem_get_info()
    values = {
        "gpu_0_memory_usage_megabytes": (total - free) / 1e6,
        "gpu_0_memory_usage_percentage": 100 * (total - free) / total,
    }
    # Needs the package nvidia-ml-py and a driver that counts.
    with suppress(ModuleNotFoundError, RuntimeError):
        values["gpu_0_utilization_percentage"] = float(torch.cuda.utilization())
    return values
