"""What tells a recording's speakers apart in single frames: models of their voices, trained on the recording itself.

Embeddings hear a voice over a second and more, and so are late at a change of speakers. Cepstra of 10 ms say less about
a voice in general, but enough of one that has been heard for minutes in the same room. A Gaussian mixture of all speech
is adapted to each speaker by what the embeddings give them alone; see Reynolds, Quatieri & Dunn, "Speaker Verification
Using Adapted Gaussian Mixture Models" (Digital Signal Processing 10, 2000), and for their use after clustering Barras,
Zhu, Meignier & Gauvain, "Multistage Speaker Diarization of Broadcast News" (IEEE TASLP 2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...memory import Samples, release_pages
from ...parallel import ordered
from .activity import Mask
from .blocks import block_ranges
from .fbank import MELS, log_mels
from .level import GainCurve

CEPSTRA = 20  # without the first, which is the level
DELTA = 2  # frames to either side, between which a cepstrum's change is taken
COMPONENTS = 8
ITERATIONS = 12
LEAST_VARIANCE = 0.1  # of a component, in parts of that of all speech
RELEVANCE = 16.0  # frames of a component from which a speaker's own mean counts as much as everybody's
MOST_FRAMES = 20_000  # of all speech, and of a speaker, to learn from: 3 minutes
FEWEST_FRAMES = 50  # of a speaker
FARTHEST = 12.0  # log likelihood ratio that a single frame can have
SMOOTHING = 50  # frames over which ratios are averaged
BLOCK_FRAMES = 6_000  # a minute
READ_AT_ONCE = 256  # frames from all over a file: with each come 64 KiB around it

Matrix = npt.NDArray[np.float64]
Cepstra = npt.NDArray[np.float16]
"""Shape (10 ms frames, 2 * CEPSTRA): the cepstra and their change. In a file."""


def cepstra(pcm: Samples, gain: GainCurve, speech: Mask, scratch: Path) -> Cepstra:
    """Of the level-normalised recording; zeros in blocks without `speech`, which is on 10 ms frames."""
    shape = (len(speech), 2 * CEPSTRA)
    found = np.lib.format.open_memmap(scratch / "cepstra.npy", mode="w+", dtype=np.float16, shape=shape)
    transform = _cosines()

    def hear(block: tuple[int, int]) -> None:
        start, stop = block
        if speech[start:stop].any():
            coefficients = log_mels(pcm, gain, start - DELTA, stop + DELTA) @ transform
            change = coefficients[2 * DELTA :] - coefficients[: -2 * DELTA]
            found[start:stop] = np.concatenate((coefficients[DELTA:-DELTA], change), axis=1)

    for _ in ordered(hear, block_ranges(len(speech), BLOCK_FRAMES)):
        release_pages(found)
    return found


def _cosines() -> npt.NDArray[np.float32]:
    """The orthonormal DCT-II of log mels, shape (80, CEPSTRA), without the constant."""
    angles = np.pi * (np.arange(MELS)[:, None] + 0.5) * np.arange(1, CEPSTRA + 1) / MELS
    return np.asarray(np.cos(angles) * np.sqrt(2 / MELS), dtype=np.float32)


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians with diagonal covariances: `weights` (components,), `means` and `variances`
    (components, dimension)."""

    weights: npt.NDArray[np.float64]
    means: Matrix
    variances: Matrix

    @classmethod
    def of(cls, rows: Matrix) -> Mixture:
        """By expectation and maximisation, begun with components at rows evenly spread; rows are (rows, dimension)."""
        spread = np.maximum(rows.var(axis=0), 1e-6)
        begin = np.linspace(0, len(rows) - 1, COMPONENTS).round().astype(np.int64)
        found = cls(np.full(COMPONENTS, 1 / COMPONENTS), rows[begin], np.tile(spread, (COMPONENTS, 1)))
        for _ in range(ITERATIONS):
            shares = found.shares(rows)
            counts = shares.sum(axis=0) + 1e-3
            means = shares.T @ rows / counts[:, None]
            variances = shares.T @ np.square(rows) / counts[:, None] - np.square(means)
            found = cls(counts / counts.sum(), means, np.maximum(variances, LEAST_VARIANCE * spread))
        return found

    def adapted(self, rows: Matrix) -> Mixture:
        """With means moved towards those of `rows`."""
        shares = self.shares(rows)
        counts = shares.sum(axis=0)[:, None]
        own = shares.T @ rows / np.maximum(counts, 1e-6)
        moved = counts / (counts + RELEVANCE)
        return Mixture(self.weights, moved * own + (1 - moved) * self.means, self.variances)

    def shares(self, rows: Matrix) -> Matrix:
        """Of each component in each row, shape (rows, components)."""
        joint = self._joint(rows)
        shares: Matrix = np.exp(joint - _log_sum(joint)[:, None])
        return shares

    def log_likelihood(self, rows: Matrix) -> npt.NDArray[np.float64]:
        """Shape (rows,), up to a constant."""
        return _log_sum(self._joint(rows))

    def _joint(self, rows: Matrix) -> Matrix:
        distances = np.square(rows) @ (1 / self.variances).T - 2 * rows @ (self.means / self.variances).T
        constants = (np.square(self.means) / self.variances + np.log(self.variances)).sum(axis=1)
        joint: Matrix = np.log(self.weights) - (distances + constants) / 2
        return joint


def _log_sum(joint: Matrix) -> npt.NDArray[np.float64]:
    highest = joint.max(axis=1)
    total: npt.NDArray[np.float64] = highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1))
    return total


@dataclass(frozen=True)
class SpeakerModels:
    """`everybody` and, where there was enough to learn from, each speaker; of features less `mean` by `deviation`."""

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    everybody: Mixture
    speakers: Sequence[Mixture | None]

    @classmethod
    def of(cls, features: Cepstra, speakers: Iterable[npt.NDArray[np.int64]]) -> SpeakerModels | None:
        """From the frames in which each speaker speaks alone. None where nobody does for long enough."""
        frames = [_spread(own) for own in speakers]
        everything = _spread(np.sort(np.concatenate(frames)))
        if len(everything) < FEWEST_FRAMES:
            return None
        rows = _rows(features, everything)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-6
        everybody = Mixture.of((rows - mean) / deviation)
        adapted = [
            everybody.adapted((_rows(features, own) - mean) / deviation) if len(own) >= FEWEST_FRAMES else None
            for own in frames
        ]
        return cls(mean, deviation, everybody, adapted)

    def ratios(self, features: Cepstra, start: int, stop: int) -> npt.NDArray[np.float32]:
        """How much more likely each speaker is than anybody in the frames start to stop, in the mean of the frames
        around: log likelihood ratios of shape (stop - start, speakers), 0 for a speaker without a model."""
        from scipy.ndimage import uniform_filter1d

        first, last = max(start - SMOOTHING, 0), min(stop + SMOOTHING, len(features))
        rows = (_rows(features, np.arange(first, last)) - self.mean) / self.deviation
        anybody = self.everybody.log_likelihood(rows)
        ratios = np.zeros((len(rows), len(self.speakers)), dtype=np.float32)
        for number, speaker in enumerate(self.speakers):
            if speaker is not None:
                ratios[:, number] = np.clip(speaker.log_likelihood(rows) - anybody, -FARTHEST, FARTHEST)
        smooth: npt.NDArray[np.float32] = uniform_filter1d(ratios, SMOOTHING, axis=0)[start - first : stop - first]
        return smooth


def _spread(frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most MOST_FRAMES of them, evenly spread."""
    return frames[np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).round().astype(np.int64)]


def _rows(features: Cepstra, frames: npt.NDArray[np.int64]) -> Matrix:
    rows = np.empty((len(frames), features.shape[1]))
    for start, stop in block_ranges(len(frames), READ_AT_ONCE):
        rows[start:stop] = features[frames[start:stop]]
        release_pages(features)
    return rows
