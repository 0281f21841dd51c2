"""What splits the overlaps of a recording between its speakers, however it does that."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .exemplars import RATE, Activity, Matrix
from .overlaps import Overlap, Overlaps
from .spectra import Signal
from .types import OverlapSpan

MASK_FLOOR = 0.05  # of the mixture that all who may speak keep: a word that is wrongly taken away stays audible


class Separator(ABC):
    """Masks for the overlaps of one recording. They may be asked for on several threads at once."""

    models: tuple[str, ...] = ()  # "name version" of each that took part

    def __init__(self, overlaps: Overlaps) -> None:
        self.overlaps = overlaps

    @abstractmethod
    def separable(self, overlap: Overlap) -> bool:
        """Whether it can be told in this overlap what is whose. Else it stays a copy on each speaker's track."""

    @abstractmethod
    def masks(self, overlap: Overlap, first: int, last: int) -> dict[int, Matrix]:
        """Each speaker's part of the frames `first` to `last` of `exemplars.GRID`, shape (bins, frames), one in sum.

        All these frames reach into the overlap, which is separable.
        """

    def spans(self) -> tuple[OverlapSpan, ...]:
        """All overlaps and whether they are separated, in seconds."""
        stretches = self.overlaps.stretches
        return tuple(OverlapSpan(o.start / RATE, o.stop / RATE, o.speakers, self.separable(o)) for o in stretches)


def with_floor(masks: Matrix, active: Activity) -> Matrix:
    """`masks`, shape (speakers, bins, frames) and one in sum, so that no speaker falls below `MASK_FLOOR` where they
    are `active`, shape (speakers, frames).
    """
    floor = active[:, None] * np.float32(MASK_FLOOR)
    floored: Matrix = floor + (1 - floor.sum(axis=0)) * masks
    return floored


def si_sdr(estimate: Signal, truth: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., "SDR - Half-baked or Well Done?", 2019)."""
    wanted, found = truth.astype(np.float64), estimate.astype(np.float64)
    target = wanted * (found @ wanted / (wanted @ wanted + 1e-12))
    rest = found - target
    return float(10 * np.log10((target @ target + 1e-12) / (rest @ rest + 1e-12)))
