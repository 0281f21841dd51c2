"""A sound in examples: spectra of it alone, and how a mixture is explained by the examples of several sounds.

Exemplar-based separation as in Smaragdis, Shashanka & Raj, "A Sparse Non-Parametric Approach for Single Channel
Separation of Known Sounds" (NIPS 2009): the mixture is a sum of exemplars, closest in Kullback-Leibler divergence,
found by multiplicative updates (Lee & Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000), each to
the power of 1.5, which needs fewer of them and is stable below 2 (Badeau, Bertin & Vincent, "Stability Analysis of
Multiplicative Update Algorithms and Application to Nonnegative Matrix Factorization", IEEE TNN 21(12), 2010). A penalty
on the logarithm of each sound's share tells a sound that rests from a soft one (Lefèvre, Bach & Févotte, "Itakura-Saito
Nonnegative Matrix Factorization with Group Sparsity", ICASSP 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from .memory import Samples, release_pages
from .spectra import Grid, Signal

RATE = 16_000  # Hz, of the signal that diarization heard
GRID = Grid(RATE)
LINEAR_BINS = 1000.0  # Hz; above it, bands of equal relative width are compared instead of single bins
RANGE_DB = 60.0  # frames quieter than this below a sound's loudest are no examples of it
PENALTY_FLOOR = 0.1  # share of a frame at which a sound counts as hardly there
SMOOTHING = 21  # frames, about half a second: how fast a sound's share may come and go
SPECTRUM_POWER = 1.5  # of the magnitudes whose ratio is a mask
FLOOR = 1e-7
SCATTERED = 32  # frames read before pages are handed back: with each come up to a quarter of a megabyte around it
PIECE = 600  # frames, about 14 s: as much as is explained at once

Matrix = npt.NDArray[np.float32]
Activity = npt.NDArray[np.bool_]
Frames = npt.NDArray[np.int64]
Value = TypeVar("Value")


def _band_edges() -> npt.NDArray[np.int64]:
    edges = [0]
    while edges[-1] < GRID.bins:
        edges.append(edges[-1] + max(1, round(edges[-1] * RATE / GRID.size / LINEAR_BINS)))
    return np.array(edges[:-1])


EDGES = _band_edges()  # the first bin of each band


def to_bands(magnitudes: Matrix) -> Matrix:
    """(bins, frames) to (bands, frames)."""
    banded: Matrix = np.add.reduceat(magnitudes, EDGES, axis=0)
    return banded


@dataclass(frozen=True)
class Exemplars:
    """Magnitude spectra of one sound, each summing to one: `bins` (bins, exemplars), `bands` (bands, exemplars)."""

    bins: Matrix
    bands: Matrix

    @classmethod
    def of(cls, magnitudes: Matrix, most: int) -> Exemplars:
        """At most so many of magnitudes (bins, frames), evenly spaced among those that are loud enough."""
        levels = magnitudes.sum(axis=0)
        heard = np.flatnonzero(levels > levels.max(initial=0) * 10 ** (-RANGE_DB / 20))
        chosen = spread(heard, most)
        bins = magnitudes[:, chosen] / levels[chosen]
        return cls(bins, to_bands(bins))

    def __len__(self) -> int:
        return int(self.bins.shape[1])


def spread(items: Frames, most: int) -> Frames:
    """At most so many of `items`, evenly spaced."""
    if len(items) <= most:
        return items
    return items[np.linspace(0, len(items) - 1, most).round().astype(np.int64)]


def samples_of(pcm: Samples, first: int, last: int) -> Signal:
    """What the frames `first` to `last` of `GRID` cover of `pcm`, with zeros beyond its ends."""
    start, stop = GRID.extent(first, last)
    inside = np.array(pcm[max(start, 0) : max(stop, 0)])
    return np.pad(inside, (max(-start, 0), stop - max(start, 0) - len(inside)))


def magnitudes_at(pcm: Samples, frames: Frames) -> Matrix:
    """Magnitude spectra of single frames, shape (bins, frames)."""
    if not len(frames):
        return np.zeros((GRID.bins, 0), dtype=np.float32)
    pieces = []
    for start in range(0, len(frames), SCATTERED):
        pieces += [samples_of(pcm, frame, frame + 1) for frame in frames[start : start + SCATTERED].tolist()]
        release_pages(pcm)
    magnitudes: Matrix = np.abs(GRID.analyse(np.stack(pieces)))[:, 0].T
    return magnitudes


def magnitudes_of(pcm: Samples, first: int, last: int) -> Matrix:
    """Magnitude spectra of consecutive frames, shape (bins, frames)."""
    samples = samples_of(pcm, first, last)
    release_pages(pcm)
    return np.ascontiguousarray(np.abs(GRID.analyse(samples)).T)


class Memory(Generic[Value]):
    """What was worked out, the `most` latest, once however many threads ask. Unlike functools.cache on a method it
    makes no reference cycle, which would keep a mapped recording, gigabytes of disk, until the garbage collector comes
    by.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._lock = Lock()
        self._known: dict[tuple[Hashable, ...], Future[Value]] = {}

    def recall(self, make: Callable[..., Value], *key: Hashable) -> Value:
        with self._lock:
            missing = key not in self._known
            if missing:
                if len(self._known) == self._most:
                    del self._known[next(iter(self._known))]
                self._known[key] = Future()
            found = self._known[key]
        if missing:
            try:
                found.set_result(make(*key))
            except BaseException as error:  # raised below, here and for all who wait for the same value
                found.set_exception(error)
        return found.result()


def pieces(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Frames `first` to `last` cut at fixed places: the piece's number, its first frame and one past its last."""
    while first < last:
        piece = first // PIECE
        stop = min(last, (piece + 1) * PIECE)
        yield piece, first, stop
        first = stop


def shares(
    magnitudes: Matrix, sounds: Sequence[Exemplars], active: Activity, penalty: float, iterations: int
) -> Matrix:
    """Each sound's part of magnitudes (bins, frames), shape (sounds, bins, frames), one in sum over the sounds.

    `active`, shape (sounds, frames), says which may be there; at least one in each frame.
    """
    owner = np.repeat(np.arange(len(sounds)), [len(sound) for sound in sounds])
    bands = np.concatenate([sound.bands for sound in sounds], axis=1)
    weights = _explain(to_bands(magnitudes) + FLOOR, bands, owner, active, penalty, iterations)
    parts = np.stack([sound.bins @ weights[owner == index] for index, sound in enumerate(sounds)]) ** SPECTRUM_POWER
    parts += 1e-30 * active[:, None]
    result: Matrix = parts / parts.sum(axis=0)
    return result


def _explain(
    spectra: Matrix, dictionary: Matrix, owner: Frames, active: Activity, penalty: float, iterations: int
) -> Matrix:
    """How much of each exemplar is in each frame, shape (exemplars, frames), in parts of the frame's level."""
    target = spectra / spectra.sum(axis=0)
    weights = active[owner].astype(np.float32)
    weights /= weights.sum(axis=0)
    transposed = np.ascontiguousarray(dictionary.T)
    firsts = np.searchsorted(owner, np.arange(len(active)))
    present = uniform_filter1d(active.astype(np.float32), SMOOTHING, axis=1, mode="nearest") + 1e-6
    for _ in range(iterations):
        share = np.add.reduceat(weights, firsts, axis=0)
        share = uniform_filter1d(share, SMOOTHING, axis=1, mode="nearest") / present
        brake = 1 + penalty / (PENALTY_FLOOR + share)
        step = transposed @ (target / (dictionary @ weights + 1e-9))
        step /= brake[owner]
        weights *= step
        weights *= np.sqrt(step, out=step)
    return weights
