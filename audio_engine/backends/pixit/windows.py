"""Which windows the network hears of a recording, and how what it says of them is joined."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...exemplars import GRID, RATE
from ...memory import Samples, release_pages
from ...overlaps import Overlap
from ...spectra import Signal

MARGIN = RATE // 4  # samples at a window's ends that are not used where others can be
LEAST_WEIGHT = 1e-3  # of a sample at a window's end, which may be the only one that there is


@dataclass(frozen=True)
class Window:
    """One of those over an overlap: its first sample, and what each of its samples counts in the whole."""

    overlap: Overlap
    start: int
    weights: Signal


def extent(overlap: Overlap) -> tuple[int, int]:
    """First sample and one past the last of what the frames that reach into the overlap cover."""
    return GRID.extent(*GRID.touching(overlap.start, overlap.stop))


def windows_over(overlap: Overlap, size: int, samples: int) -> Iterator[Window]:
    """Of `size` samples, around the overlap, or half a window apart where it is long; their weights are one in sum.

    They lie within the recording's `samples`, as far as that is as long as a window.
    """
    starts = window_starts(overlap, size, samples)
    taper = np.maximum(np.bartlett(size + 2)[1:-1], LEAST_WEIGHT).astype(np.float32)
    for start in starts:
        total = np.zeros(size, dtype=np.float32)
        for other in starts[bisect_right(starts, start - size) : bisect_left(starts, start + size)]:
            low, high = max(0, other - start), size + min(0, other - start)
            total[low:high] += taper[low - (other - start) : high - (other - start)]
        yield Window(overlap, start, taper / total)


def window_starts(overlap: Overlap, size: int, samples: int) -> list[int]:
    low, high = extent(overlap)
    low, high = max(0, low) - MARGIN, min(samples, high) + MARGIN
    if high - low <= size:
        starts = np.array([(low + high - size) // 2])
    else:
        starts = np.linspace(low, high - size, 1 + -(-2 * (high - low - size) // size)).round()
    return [int(start) for start in np.unique(starts.clip(0, max(0, samples - size)))]


def heard(pcm: Samples, windows: Sequence[Window], count: int) -> Signal:
    """What is recorded in the windows, shape (count, samples), with zeros beyond the recording's end and the last."""
    found = np.zeros((count, len(windows[0].weights)), dtype=np.float32)
    for row, window in zip(found, windows, strict=False):
        part = pcm[window.start : window.start + len(row)]
        row[: len(part)] = part
    release_pages(pcm)
    return found
