"""What each speaker is thought to say in the overlaps, kept in a file, and the masks that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...exemplars import GRID, Matrix
from ...memory import Samples, release_pages
from ...overlaps import Overlap
from ...separation import Separator, with_floor
from ...spectra import Signal
from .windows import Window, extent

POWER = 2.0  # of the magnitudes whose ratio is a mask
NOTHING = 1e-10  # power that is added to all, so that where nothing is estimated nobody is preferred


class Estimates:
    """Samples at 16 kHz of each speaker in each of `overlaps`, as far as masks need them; zeros at first."""

    def __init__(self, path: Path, overlaps: Sequence[Overlap]) -> None:
        sizes = [len(overlap.speakers) * (extent(overlap)[1] - extent(overlap)[0]) for overlap in overlaps]
        self._offsets = dict(zip(overlaps, np.cumsum([0, *sizes]).tolist(), strict=False))
        self._samples: Samples = np.zeros(0, dtype=np.float32)
        if overlaps:
            self._samples = np.memmap(path, mode="w+", dtype=np.float32, shape=(sum(sizes),))

    def add(self, window: Window, streams: dict[int, Signal]) -> None:
        """What the streams, by speaker, say of a window of their overlap."""
        low, high = extent(window.overlap)
        first, stop = max(low, window.start), min(high, window.start + len(window.weights))
        heard = slice(first - window.start, stop - window.start)
        rows = self._rows(window.overlap)
        for speaker, stream in streams.items():
            rows[window.overlap.speakers.index(speaker), first - low : stop - low] += (stream * window.weights)[heard]
        release_pages(self._samples)

    def of(self, overlap: Overlap, first: int, last: int) -> Signal:
        """What the frames `first` to `last` of `GRID` cover, shape (speakers, samples)."""
        low, _ = extent(overlap)
        start, stop = GRID.extent(first, last)
        found = np.array(self._rows(overlap)[:, start - low : stop - low])
        release_pages(self._samples)
        return found

    def _rows(self, overlap: Overlap) -> Signal:
        low, high = extent(overlap)
        offset, count = self._offsets[overlap], len(overlap.speakers)
        return self._samples[offset : offset + count * (high - low)].reshape(count, high - low)


class EstimatedSeparator(Separator):
    """Masks by the powers of estimates, as a Wiener filter, of those who may be heard: what leaks into the estimate of
    somebody who has no turn there counts for nothing. Overlaps that are not `solved` are left to `otherwise`.
    """

    def __init__(
        self, estimates: Estimates, solved: frozenset[Overlap], otherwise: Separator, models: tuple[str, ...]
    ) -> None:
        super().__init__(otherwise.overlaps)
        self._estimates, self._solved, self._otherwise = estimates, solved, otherwise
        self.models = models

    def separable(self, overlap: Overlap) -> bool:
        return overlap in self._solved or self._otherwise.separable(overlap)

    def masks(self, overlap: Overlap, first: int, last: int) -> dict[int, Matrix]:
        if overlap not in self._solved:
            return self._otherwise.masks(overlap, first, last)
        active = self.overlaps.active(overlap.speakers, first, last)
        spectra = GRID.analyse(self._estimates.of(overlap, first, last)).transpose(0, 2, 1)
        parts = (np.abs(spectra) ** POWER + NOTHING) * active[:, None]
        return dict(zip(overlap.speakers, with_floor(parts / parts.sum(axis=0), active), strict=True))
