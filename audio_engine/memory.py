"""Recordings in memory: arrays that may be mapped from files, and handing back what is not needed of them any more."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
# What PyTorch, CUDA's libraries and CTranslate2 say in errors that have no class of their own, in small letters. The
# last is cuDNN's, of convolutions whose workspace finds no room.
SHORT = ("out of memory", "can't allocate memory", "alloc_failed", "allocation_failed", "cudnn_status_not_supported.")


def release_pages(array: npt.NDArray[np.generic]) -> None:
    """Hand the pages of a memory-mapped file back: touched pages count as this process's memory until then."""
    mapping = getattr(array, "_mmap", None)
    if isinstance(mapping, mmap.mmap):
        mapping.madvise(mmap.MADV_DONTNEED)


def short_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of whatever device."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(said in words for said in SHORT)


def release_unused() -> None:
    """Hand back what was freed but is kept for later by the C library, where it is glibc: after a step whose arrays
    were many and large, that is more than a hundred megabytes, which would add to what the next step takes."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
