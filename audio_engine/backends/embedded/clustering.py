"""Which window is whose: clusters of a sample of windows, centroids for the rest.

Source: Park et al., "Multi-Scale Speaker Diarization with Neural Affinity Score Fusion" (ICASSP 2021) for the fusion of
scales, here a mean of cosines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...types import SpeakerBounds
from . import vbx
from .vbx import Labels
from .voice_space import Matrix, VoiceSpace, unit_rows

MAXIMUM_SPEAKERS = 10  # looked for when the caller sets no bound
LARGEST_SAMPLE = 1500  # windows whose cosines are all taken at once
PURE = 0.5  # of the short window one voice alone
MINIMUM_PURE = 12
REFINEMENTS = 2
FEWEST = 6  # windows to find voices in: of fewer there is one, unless more are asked for
COPY = 0.97  # cosine that two utterances of one voice do not reach: the second window is the first one played again
APART = 5  # windows that do not overlap, on the grid

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clusters:
    """`centroids` (speakers, scales, dimension), unit length over scales and dimensions together."""

    centroids: Vectors

    def __len__(self) -> int:
        return len(self.centroids)


def sample_rows(alone: npt.NDArray[np.float32], limit: int = LARGEST_SAMPLE) -> npt.NDArray[np.int64]:
    """Evenly spaced windows, of those in which mostly one voice speaks where there are enough."""
    pure = np.flatnonzero(alone >= PURE)
    rows = pure if len(pure) >= MINIMUM_PURE else np.arange(len(alone))
    return rows[_spread(len(rows), limit)]


def _spread(total: int, limit: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, total - 1, min(limit, total)).round().astype(np.int64)


def cluster(vectors: Vectors, centres: npt.NDArray[np.int64], bounds: SpeakerBounds, space: VoiceSpace) -> Clusters:
    """Finds the speakers in sampled windows (windows, scales, dimension), around `centres` (windows,) in 10 ms frames.
    Of too few windows it finds fewer speakers than `bounds` asks for."""
    flat = vectors.reshape(len(vectors), -1).astype(np.float64)
    kept = _first_played(unit_rows(flat))
    unit = unit_rows(flat[kept])
    labels = _partition(flat[kept], unit, centres[kept], bounds, space)
    for _ in range(REFINEMENTS):
        means = unit_rows(np.stack([unit[labels == label].mean(axis=0) for label in np.unique(labels)]))
        labels = (unit @ means.T).argmax(axis=1)
    return Clusters(means.reshape(len(means), *vectors.shape[1:]).astype(np.float32))


def _first_played(unit: Matrix) -> npt.NDArray[np.bool_]:
    """The windows less those played before: in loops and jingles each window and its copies would be a cluster."""
    order = np.arange(len(unit))
    copies = (unit @ unit.T >= COPY) & (order[:, None] - order >= APART)
    return np.asarray(~copies.any(axis=1))


def _partition(
    vectors: Matrix, unit: Matrix, centres: npt.NDArray[np.int64], bounds: SpeakerBounds, space: VoiceSpace
) -> Labels:
    """The speaker of each window, `unit` being `vectors` at unit length."""
    windows = len(unit)
    low = min(bounds.exact or bounds.minimum or 1, windows)
    high = min(bounds.exact or bounds.maximum or max(MAXIMUM_SPEAKERS, low), windows)
    if high == 1:
        return np.zeros(windows, dtype=np.int64)
    if windows < FEWEST:
        return vbx.Tree(unit).cut(low)
    return vbx.voices(vectors, centres, space, low, high)
