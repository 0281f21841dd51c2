"""NVIDIA's driver, asked without starting CUDA: by its management library (NVML), which takes no memory of a GPU.

What is told is of the GPU that CUDA calls its first, since networks run there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MEGABYTE = 1_000_000
CHOICE_VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER_VARIABLE, BY_BUS = "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
LONGEST_UUID = 96  # bytes, NVML_DEVICE_UUID_V2_BUFFER_SIZE


@dataclass(frozen=True)
class GpuMemory:
    """In megabytes."""

    total: int
    free: int


class _Memory(ctypes.Structure):
    """NVML's nvmlMemory_t, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def number_gpus_by_bus() -> None:
    """Have CUDA, which reads this when it starts in this process, number GPUs as NVML does and nvidia-smi shows them,
    unless the operator wants otherwise. By itself it calls the fastest its first.
    """
    os.environ.setdefault(ORDER_VARIABLE, BY_BUS)


def has_gpu() -> bool:
    """Whether there is a driver with a GPU that CUDA may use."""
    with _management_library() as library:
        return library is not None and _first(library) is not None


def gpu_memory() -> GpuMemory | None:
    """None where NVML does not tell, as of other makers' GPUs, and where the operator has CUDA number several GPUs in
    another order.
    """
    memory = _Memory()
    with _management_library() as library:
        handle = _first(library) if library else None
        if library is None or handle is None or not _same_numbers(library):
            return None
        if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0:
            return None
    return GpuMemory(memory.total // MEGABYTE, memory.free // MEGABYTE)


def unfit_driver(cuda: str) -> str | None:
    """What keeps the driver of a GPU that is there from running what is built for that version of `cuda`, with the
    remedy; None without one.
    """
    if not has_gpu():
        return None
    try:
        ctypes.CDLL("libcuda.so.1")  # as CUDA's own libraries look for it; nothing starts yet
    except OSError:
        return (
            "The driver's libcuda.so.1 is not to be found here. In a container, set NVIDIA_DRIVER_CAPABILITIES to "
            "compute,utility"
        )
    return _old_driver(cuda)


def _old_driver(cuda: str) -> str | None:
    """A driver runs what is built for versions before its own, and for later ones of the same first number."""
    number = ctypes.c_int(0)
    with _management_library() as library:
        told = getattr(library, "nvmlSystemGetCudaDriverVersion_v2", None)  # since 2019
        if told is None or told(ctypes.byref(number)) != 0:
            return None
    major, minor = number.value // 1000, number.value % 1000 // 10
    if major >= int(cuda.partition(".")[0]):
        return None
    return f"Its driver runs CUDA {major}.{minor} and PyTorch is built for {cuda}. Install a newer driver"


def _chosen() -> str:
    """What the operator names first, by number or UUID; all GPUs may be used where nothing is said."""
    return os.environ.get(CHOICE_VARIABLE, "0").partition(",")[0].strip()


def _first(library: ctypes.CDLL) -> ctypes.c_void_p | None:
    """NVML's handle for the GPU that CUDA calls its first, or for the part of one where it is divided (MIG)."""
    chosen = _chosen()
    if chosen.startswith("MIG-"):
        return _handle(library.nvmlDeviceGetHandleByUUID, chosen.encode())
    if chosen.startswith("GPU-"):
        gpus = [gpu for gpu in _gpus(library) if _uuid(library, gpu).startswith(chosen)]  # its beginning may do
        return _first_part(library, gpus[0]) if len(gpus) == 1 else None
    gpus = _gpus(library) if chosen.isdecimal() else []
    return _first_part(library, gpus[int(chosen)]) if gpus and int(chosen) < len(gpus) else None


def _gpus(library: ctypes.CDLL) -> list[ctypes.c_void_p]:
    count = ctypes.c_uint(0)
    library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    handles = (_handle(library.nvmlDeviceGetHandleByIndex_v2, number) for number in range(count.value))
    return [handle for handle in handles if handle is not None]


def _uuid(library: ctypes.CDLL, gpu: ctypes.c_void_p) -> str:
    text = ctypes.create_string_buffer(LONGEST_UUID)
    library.nvmlDeviceGetUUID(gpu, text, ctypes.c_uint(len(text)))
    return text.value.decode()


def _first_part(library: ctypes.CDLL, gpu: ctypes.c_void_p) -> ctypes.c_void_p | None:
    """`gpu` itself where it is not divided. CUDA sees one part only."""
    divided, soon = ctypes.c_uint(0), ctypes.c_uint(0)
    asked = getattr(library, "nvmlDeviceGetMigMode", None)  # since 2020
    if asked is None or asked(gpu, ctypes.byref(divided), ctypes.byref(soon)) != 0 or not divided.value:
        return gpu
    most = ctypes.c_uint(0)
    library.nvmlDeviceGetMaxMigDeviceCount(gpu, ctypes.byref(most))
    parts = (_handle(library.nvmlDeviceGetMigDeviceHandleByIndex, gpu, number) for number in range(most.value))
    return next((part for part in parts if part is not None), None)


def _same_numbers(library: ctypes.CDLL) -> bool:
    """Whether NVML's number of the GPU is CUDA's, or none is needed."""
    by_number = _chosen().isdecimal() and len(_gpus(library)) > 1
    return not by_number or os.environ.get(ORDER_VARIABLE, BY_BUS) == BY_BUS


def _handle(ask: Callable[..., int], *arguments: object) -> ctypes.c_void_p | None:
    handle = ctypes.c_void_p()
    return handle if ask(*arguments, ctypes.byref(handle)) == 0 else None


@contextmanager
def _management_library() -> Iterator[ctypes.CDLL | None]:
    """NVML at work; None without a driver."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        library = None
    if library is None or library.nvmlInit_v2() != 0:
        yield None
        return
    try:
        yield library
    finally:
        library.nvmlShutdown()
