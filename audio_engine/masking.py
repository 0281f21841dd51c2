"""Applying masks found on the 16 kHz mono signal to the recording itself: all its channels, its full band."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from .decoding import Block, from_float, silence, to_float
from .exemplars import GRID, RATE, Matrix
from .overlaps import Overlap
from .separation import Separator
from .spectra import Grid, Signal, Spectra
from .tracks import Gate
from .types import MediaInfo

HIGHEST_OCTAVE = slice(GRID.bins // 2, GRID.bins)  # 4 to 8 kHz; what lies above is treated like its mean

Surroundings = tuple[Block, Block, Block]
"""What comes just before a block, the block, and what comes just after it."""


class Mask(Protocol):
    """What is to be kept of each bin of `GRID`."""

    def mask(self, first: int, last: int) -> Matrix:
        """From 0 to 1 for the frames `first` to `last`, shape (bins, frames)."""


def with_surroundings(blocks: Iterable[Block], rate: int) -> Iterator[Surroundings]:
    """Each block with as many samples on either side as its spectra reach out to, silence beyond the ends."""
    reach = Grid(rate).size
    before = block = None
    for after in blocks:
        if block is not None:
            yield _surroundings(before, block, after, reach)
        before, block = block, after
    if block is not None:
        yield _surroundings(before, block, None, reach)


def _surroundings(before: Block | None, block: Block, after: Block | None, reach: int) -> Surroundings:
    nothing = silence(block, reach)
    leading = nothing if before is None else np.concatenate([nothing, before])[-reach:]
    trailing = nothing if after is None else np.concatenate([after, nothing])[:reach]
    return leading, block, trailing


class Resampling:
    """From frames and bins of `GRID` to the frames `first` to `last` and the bins of another grid, linear in time.

    Frames outside `limits` are as the nearest inside.
    """

    def __init__(self, grid: Grid, first: int, last: int, limits: tuple[int, int]) -> None:
        positions = np.round(grid.seconds(first, last) * (RATE / GRID.hop), 6).clip(limits[0], limits[1] - 1)
        below = np.floor(positions).astype(np.int64)
        above = np.ceil(positions).astype(np.int64)
        self.first, self.last = int(below[0]), int(above[-1]) + 1
        self._below, self._above = below - self.first, above - self.first
        self._fraction = (positions - below).astype(np.float32)
        bins = np.rint(np.arange(grid.bins) * (grid.rate / grid.size) / (RATE / GRID.size)).astype(np.int64)
        self._bins, self._beyond = bins[bins < GRID.bins], int((bins >= GRID.bins).sum())

    def __call__(self, mask: Matrix) -> Matrix:
        """From shape (bins of `GRID`, self.last - self.first) to (frames, bins)."""
        frames = (mask[:, self._below] * (1 - self._fraction) + mask[:, self._above] * self._fraction).T
        beyond = frames[:, HIGHEST_OCTAVE].mean(axis=1, keepdims=True)
        return np.concatenate([frames[:, self._bins], np.repeat(beyond, self._beyond, axis=1)], axis=1)


class Masking:
    """What each speaker's track holds of a block: the source itself where one person speaks in a clean recording."""

    def __init__(self, media: MediaInfo, separator: Separator | None = None, background: Mask | None = None) -> None:
        rate, frames = media.sample_rate, round(media.seconds * media.sample_rate)
        self.rate = rate
        self._grid = Grid(rate)
        self._separator, self._background = separator, background
        self._split_up = () if separator is None else tuple(filter(separator.separable, separator.overlaps.stretches))
        spans = [(round(overlap.start * rate / RATE), round(overlap.stop * rate / RATE)) for overlap in self._split_up]
        self._gate = Gate(np.array(spans, dtype=np.int64).reshape(-1, 2), rate, frames)
        self._limits = 0, max(1, GRID.within(0, round(frames * RATE / rate))[1])

    def parts(self, surroundings: Surroundings, start: int, speakers: int) -> list[Block]:
        """The block whose first frame is the recording's `start`, as it sounds in each speaker's track."""
        block = surroundings[1]
        stop = start + len(block)
        touched = self._gate.touching(start, stop)
        if self._background is None and touched.start == touched.stop:
            return [block] * speakers
        first, last = self._grid.touching(start, stop)
        spectra = self._spectra(surroundings, start, first, last)
        if self._background is not None:
            resampling = Resampling(self._grid, first, last, self._limits)
            spectra = spectra * resampling(self._background.mask(resampling.first, resampling.last))
            block = from_float(self._signal(spectra, first, start, stop), block.dtype)
        result = [block] * speakers
        for overlap, (low, high) in zip(
            self._split_up[touched], self._gate.open_within(start, stop).tolist(), strict=True
        ):
            for speaker, part in self._split(overlap, spectra, first, start + low, start + high).items():
                plain = to_float(result[speaker][low:high])
                weights = self._weights(overlap, speaker, start + low, start + high)
                result[speaker] = result[speaker].copy()
                result[speaker][low:high] = from_float(plain + weights * (part - plain), block.dtype)
        return result

    def _weights(self, overlap: Overlap, speaker: int, start: int, stop: int) -> Signal:
        """How much of the samples `start` to `stop` comes from the speaker's part, not from the source: (samples, 1).

        It fades where the speaker goes on beyond the overlap; where they do not, the track's own gate fades.
        """
        assert self._separator is not None
        weights = self._gate.cut(np.ones((stop - start, 1), dtype=np.float32), start)
        assert weights is not None
        middle = round((overlap.start + overlap.stop) / 2 * self._grid.rate / RATE) - start
        if speaker not in self._separator.overlaps.speaking(overlap.start - 1, overlap.start):
            weights[: max(0, middle)] = 1
        if speaker not in self._separator.overlaps.speaking(overlap.stop, overlap.stop + 1):
            weights[max(0, middle) :] = 1
        return weights

    def _spectra(self, surroundings: Surroundings, start: int, first: int, last: int) -> Spectra:
        """Of the frames `first` to `last`, shape (channels, frames, bins)."""
        low, high = self._grid.extent(first, last)
        offset = start - len(surroundings[0])
        return self._grid.analyse(to_float(np.concatenate(surroundings))[low - offset : high - offset].T)

    def _signal(self, spectra: Spectra, first: int, start: int, stop: int) -> Signal:
        """The samples `start` to `stop`, shape (samples, channels), of spectra whose first frame is `first`."""
        offset, _ = self._grid.extent(first, first)
        return self._grid.synthesise(spectra)[:, start - offset : stop - offset].T

    def _split(self, overlap: Overlap, spectra: Spectra, first: int, start: int, stop: int) -> dict[int, Signal]:
        """Each speaker's samples `start` to `stop`, of spectra whose first frame is `first`."""
        assert self._separator is not None
        low, high = self._grid.touching(start, stop)
        resampling = Resampling(self._grid, low, high, GRID.touching(overlap.start, overlap.stop))
        masks = self._separator.masks(overlap, resampling.first, resampling.last)
        touched = spectra[:, low - first : high - first]
        return {speaker: self._signal(touched * resampling(mask), low, start, stop) for speaker, mask in masks.items()}
