"""Whether there is a GPU for PyTorch, found out without importing PyTorch and without touching the GPU."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Accelerator = Literal["cuda", "mps"]


@cache
def accelerator() -> Accelerator | None:
    """What the installed PyTorch can compute on beside the CPU. AMD's GPUs go by "cuda" in PyTorch too."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    build = _torch_build()
    if "cuda" in build and os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() not in ("", "-1") and _nvidia_gpus():
        return "cuda"
    if "hip" in build and Path("/dev/kfd").exists():
        return "cuda"
    return None


def _torch_build() -> set[str]:
    """For which kinds of GPU PyTorch is built, as its package says: "cuda", "hip" or neither."""
    spec = find_spec("torch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        version = Path(folder) / "version.py"
        if version.is_file():
            return set(re.findall(r"^(cuda|hip)\b[^=]*=\s*['\"]", version.read_text(), re.MULTILINE))
    return set()


def _nvidia_gpus() -> int:
    """As NVIDIA's management library counts them; 0 without a driver."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return 0
    if library.nvmlInit_v2() != 0:
        return 0
    count = ctypes.c_uint(0)
    library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    library.nvmlShutdown()
    return count.value
