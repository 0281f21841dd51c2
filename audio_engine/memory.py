"""Handing memory back to the system between the steps of a recording."""

from __future__ import annotations

import ctypes
import sys


def release_unused() -> None:
    """Hand back what was freed but is kept for later by the C library, where it is glibc: after a step whose arrays
    were many and large, that is more than a hundred megabytes, which would add to what the next step takes."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
