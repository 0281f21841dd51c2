"""Whether there is a GPU for PyTorch and how large, found out without importing PyTorch or touching the GPU."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Accelerator = Literal["cuda", "mps"]
DEVICE_VARIABLE = "SOLOIST_DEVICE"
DEVICES = ("auto", "cpu", "gpu")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class GpuMemory:
    """Of the GPU that PyTorch uses, in megabytes."""

    total: int
    free: int


def gpu_allowed() -> bool:
    """Whether networks may run on a GPU, by the operator's word."""
    return os.environ.get(DEVICE_VARIABLE) != "cpu"


def gpu_demanded() -> bool:
    """Whether networks that can use a GPU may run nowhere else, by the operator's word."""
    return os.environ.get(DEVICE_VARIABLE) == "gpu"


def gpu_lacking(megabytes: int) -> str | None:
    """What keeps networks that take so much memory at least from running where they have to, with the remedy.

    Judged by the whole memory of the GPU: what is free now may be more by the time that a job is run, and the models
    that a worker keeps warm are among what is taken.
    """
    if not gpu_demanded():
        return None
    cpu = f"or let the CPU do it: {DEVICE_VARIABLE}=auto"
    if accelerator() is None:
        if old := _old_driver(_torch_build().get("cuda", "")):
            return f"It may only run on a GPU, and PyTorch cannot use the one here. {old}, {cpu}."
        return f"It may only run on a GPU, and PyTorch has none here. Give this machine one, {cpu}."
    memory = gpu_memory()
    if memory is None or memory.total >= megabytes:
        return None
    return (
        f"It may only run on a GPU, where it takes about {megabytes:,} MB of memory at least. The one here has "
        f"{memory.total:,} MB, of which {memory.free:,} MB are free now. Give this machine a larger one, {cpu}."
    )


@cache
def accelerator() -> Accelerator | None:
    """What the installed PyTorch can compute on beside the CPU, None also where the operator wants no GPU used. AMD's
    GPUs go by "cuda" in PyTorch too.
    """
    if not gpu_allowed():
        return None
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    build = _torch_build()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() not in ("", "-1")
    if "cuda" in build and seen and _nvidia_gpus() and not _old_driver(build["cuda"]):
        return "cuda"
    if "hip" in build and Path("/dev/kfd").exists():
        return "cuda"
    return None


def _torch_build() -> dict[str, str]:
    """For which kinds of GPU PyTorch is built, as its package says, with the version: "cuda", "hip" or neither."""
    spec = find_spec("torch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        version = Path(folder) / "version.py"
        if version.is_file():
            return dict(re.findall(r"^(cuda|hip)\b[^=]*=\s*['\"]([\d.]+)", version.read_text(), re.MULTILINE))
    return {}


def _nvidia_gpus() -> int:
    """As NVIDIA's management library counts them; 0 without a driver."""
    with _management_library() as library:
        if library is None:
            return 0
        count = ctypes.c_uint(0)
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        return count.value


def _old_driver(cuda: str) -> str | None:
    """What keeps NVIDIA's driver from running what is built for that version of `cuda`, with the remedy: a driver runs
    what is built for versions before its own, and for later ones of the same first number.
    """
    number = ctypes.c_int(0)
    with _management_library() as library:
        told = getattr(library, "nvmlSystemGetCudaDriverVersion_v2", None)  # since 2019
        if told is None or told(ctypes.byref(number)) != 0:
            return None
    major, minor = number.value // 1000, number.value % 1000 // 10
    if not cuda or major >= int(cuda.partition(".")[0]):
        return None
    return f"Its driver runs CUDA {major}.{minor} and PyTorch is built for {cuda}. Install a newer driver"


class _Memory(ctypes.Structure):
    """NVML's nvmlMemory_t, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def gpu_memory() -> GpuMemory | None:
    """None where NVIDIA's management library does not tell, as of other makers' GPUs."""
    number = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    handle, memory = ctypes.c_void_p(), _Memory()
    with _management_library() as library:
        if library is None or not number.isdecimal():
            return None
        if library.nvmlDeviceGetHandleByIndex_v2(int(number), ctypes.byref(handle)) != 0:
            return None
        if library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0:
            return None
    return GpuMemory(memory.total // MEGABYTE, memory.free // MEGABYTE)


@contextmanager
def _management_library() -> Iterator[ctypes.CDLL | None]:
    """NVIDIA's, at work; None without a driver."""
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
