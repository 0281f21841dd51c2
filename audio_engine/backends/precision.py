"""Where networks may compute with half the bits: in bfloat16, which has float32's range. float16 has not, and the
statistics over frames that speaker embeddings are made of come out wrong in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch


@cache
def fast_bf16(device: str) -> bool:
    """Whether devices of that type, as PyTorch calls it, multiply bfloat16 in hardware; without it autocast is slower
    than float32.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        device == "cpu"
        and capability.startswith("AVX512")
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        and _has_bf16_instructions()
    )


@contextmanager
def convolutions_in_tf32(*, allowed: bool) -> Iterator[None]:
    """Whether CUDA's convolutions may round float32 to the 10 bits of TensorFloat-32, whatever has run before in this
    process: PyTorch lets them, and pyannote.audio's pipelines forbid it from their first run on. Also a decorator.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _has_bf16_instructions() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
