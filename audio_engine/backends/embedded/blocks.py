"""Reading a long recording piece by piece, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...memory import Samples, release_pages

SAMPLE_RATE = 16_000
BLOCK_SECONDS = 120


def block_ranges(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive (start, stop) of at most `size` that together cover `total`."""
    for start in range(0, total, size):
        yield start, min(start + size, total)


def read_samples(pcm: Samples, start: int, stop: int) -> Samples:
    """A copy of pcm[start:stop], zeros where that reaches beyond the recording and where a sample is not finite."""
    inside = np.array(pcm[max(start, 0) : max(stop, 0)], dtype=np.float32)
    np.nan_to_num(inside, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    release_pages(pcm)
    return np.pad(inside, (max(-start, 0), stop - max(start, 0) - len(inside)))
