"""The use of a worker's machine between two reports, by the names of MLflow's system metrics."""

from contextlib import suppress

import psutil
import torch


class Usage:
    """Measures processors, memory and GPU since the last sample; a sample takes a millisecond."""

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
