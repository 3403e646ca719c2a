"""Recognition of out-of-memory errors of torch, CUDA and the system."""

import errno

import torch

from study.training.memory import is_out_of_memory

CUDA = "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"
OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate"),
    RuntimeError(CUDA),
    torch.AcceleratorError(CUDA),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]
OTHERS = [
    RuntimeError("shapes do not fit"),
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`"),
    OSError(errno.ENOSPC, "No space left on device"),
    ValueError(CUDA),
]


def test_failed_allocations_are_distinguished_from_other_errors() -> None:
    assert [error for error in OUT_OF_MEMORY if not is_out_of_memory(error)] == []
    assert [error for error in OTHERS if is_out_of_memory(error)] == []
