"""Memory of a trial: its peak, its end, and how the CPU's allocator keeps it."""

import ctypes
import errno
import resource
import sys
from pathlib import Path

import torch

GIB = 2**30
HIGH_WATER_MARK = Path("/proc/self/clear_refs")
"""Linux: writing 5 sets the resident set's peak to what it is."""
_FAILED_ALLOCATIONS = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""In the text of RuntimeErrors: torch's allocator on the CPU, CUDA itself, cuBLAS and cuDNN."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt's settings in malloc.h


def peak_memory_gib(device: torch.device) -> float:
    """Returns the GPU's peak allocation since `reset_peak_memory`, on the CPU the process's peak.

    The CPU figure is the resident set's high-water mark. Where it cannot be reset (not Linux) it
    is an upper bound in a worker that has run other trials.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / GIB if sys.platform == "darwin" else peak * 1024 / GIB


def reset_peak_memory(device: torch.device) -> None:
    """Starts a new measurement, on the CPU where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif HIGH_WATER_MARK.exists():
        HIGH_WATER_MARK.write_text("5")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or on the CPU.

    Only torch's own allocator on a GPU raises an error of its own kind. What the others raise is
    a RuntimeError, which its text alone tells from others, or the system's ENOMEM.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _FAILED_ALLOCATIONS
    )


def keep_freed_memory() -> None:
    """Lets this process keep the memory it frees, where the C library is glibc.

    By default glibc gives large blocks back to the system at once and every training step asks
    for them anew: a tenth of a small model's step went into page faults.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, GIB)
        libc.mallopt(_MMAP_THRESHOLD, GIB)
