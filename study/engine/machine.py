"""Facts of the machine that a driver runs on, for people."""

import os
import platform
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
