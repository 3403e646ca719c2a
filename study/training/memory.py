"""Peak memory of a trial, out-of-memory errors, and the CPU's allocator."""

import ctypes
import errno
import resource
import sys
from pathlib import Path

import torch

GIB = 2**30
HIGH_WATER_MARK = Path("/proc/self/clear_refs")
"""Linux: writing 5 resets the peak of the resident set to its present size."""
_FAILED_ALLOCATIONS = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""Texts of RuntimeErrors raised by torch's CPU allocator, CUDA, cuBLAS and cuDNN."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h.


def peak_memory_gib(device: torch.device) -> float:
    """Returns the peak memory since `reset_peak_memory`, in GiB.

    On a GPU the peak allocation, on the CPU the peak resident set of the process. Where the latter
    cannot be reset (not Linux), it is an upper bound in a worker that has run other trials.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / GIB if sys.platform == "darwin" else peak * 1024 / GIB


def reset_peak_memory(device: torch.device) -> None:
    """Resets the peak memory; on the CPU only under Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif HIGH_WATER_MARK.exists():
        HIGH_WATER_MARK.write_text("5")


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error is a failed allocation, on a GPU or on the CPU.

    Only torch's GPU allocator has its own exception class. The others raise a RuntimeError,
    which is recognised by its text, or an OSError with ENOMEM.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in _FAILED_ALLOCATIONS
    )


def keep_freed_memory() -> None:
    """Makes this process keep the memory it frees, if the C library is glibc.

    By default glibc returns large blocks to the system immediately and every training step
    requests them again: page faults took a tenth of a small model's step.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, GIB)
        libc.mallopt(_MMAP_THRESHOLD, GIB)
