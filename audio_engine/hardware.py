"""Whether there is a GPU for PyTorch that is large enough, found out without importing PyTorch or touching the GPU."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from . import nvidia

Accelerator = Literal["cuda", "mps"]
DEVICE_VARIABLE = "SOLOIST_DEVICE"
DEVICES = ("auto", "cpu", "gpu")


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
        cuda = _torch_build().get("cuda")
        if cuda and (unfit := nvidia.unfit_driver(cuda)):
            return f"It may only run on a GPU, and PyTorch cannot use the one here. {unfit}, {cpu}."
        return f"It may only run on a GPU, and PyTorch has none here. Give this machine one, {cpu}."
    memory = nvidia.gpu_memory()
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
    if "cuda" in build and nvidia.has_gpu() and not nvidia.unfit_driver(build["cuda"]):
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
