"""Where anyone speaks and where two do: posteriors on frames of 20 or 10 ms, then two thresholds with hysteresis.

Sources: Silero Team, "Silero VAD" (2021-2025) for speech; the frame head for overlap; hysteresis as in the binarisation
of Gelly & Gauvain, "Optimization of RNN-Based Speech Activity Detection" (IEEE/ACM TASLP 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from ...memory import Samples
from .frame_features import FRAME_RATE
from .level import GainCurve

if TYPE_CHECKING:
    from .frame_head import FrameHead
    from .networks import SileroVad

ONSET = 0.20
OFFSET = 0.08
MINIMUM_SPEECH = 0.10  # seconds
MINIMUM_PAUSE = 0.30
LEAST_THRESHOLD = 0.001  # what is asked for beyond it, or beyond one less it, is heard as it

Posteriors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Activity:
    """Posterior probabilities of the 20 ms frames, each of shape (frames,): of any speech, of two or more voices.
    Speech begins above `onset` and goes on above `offset`."""

    speech: Posteriors
    overlap: Posteriors
    onset: float = ONSET
    offset: float = OFFSET

    def at(self, threshold: float) -> Activity:
        """The same with both thresholds moved, in log-odds, by as much as `threshold` is away from 0.5."""
        moved = logit(np.clip(threshold, LEAST_THRESHOLD, 1 - LEAST_THRESHOLD))
        onset, offset = (float(expit(logit(own) + moved)) for own in (self.onset, self.offset))
        return replace(self, onset=onset, offset=offset)

    def mask(self) -> Mask:
        """Speech or not in each 20 ms frame."""
        return self._mask(self.speech, FRAME_RATE)

    def finer_mask(self) -> Mask:
        """The same in each 10 ms."""
        return self._mask(halved(self.speech), 2 * FRAME_RATE)

    def _mask(self, speech: Posteriors, rate: int) -> Mask:
        mask = hysteresis(speech, self.onset, self.offset)
        mask = drop_runs(mask, False, round(MINIMUM_PAUSE * rate))
        return drop_runs(mask, True, round(MINIMUM_SPEECH * rate))


def halved(posteriors: Posteriors) -> Posteriors:
    """Linear between the centres of frames, read off at those of their halves, shape (2 * frames,)."""
    halves = np.repeat(posteriors * np.float32(0.75), 2)
    halves[2::2] += posteriors[:-1] / 4
    halves[1:-1:2] += posteriors[1:] / 4
    halves[:1] += posteriors[:1] / 4
    halves[-1:] += posteriors[-1:] / 4
    return halves


def listen(
    pcm: Samples, gain: GainCurve, silero: SileroVad, head: FrameHead, report: Callable[[float], None]
) -> Activity:
    """Hears the whole recording. `report` takes the fraction done."""
    from .frame_head import probabilities

    _, overlap, speech = probabilities(pcm, gain, silero, head, report).T
    return Activity(np.ascontiguousarray(speech), np.ascontiguousarray(overlap))


def hysteresis(scores: npt.NDArray[np.floating], onset: float, offset: float) -> Mask:
    """True in every run of scores above `offset` that somewhere exceeds `onset`."""
    mask = scores > offset
    for start, stop in runs(mask):
        mask[start:stop] = scores[start:stop].max() > onset
    return mask


def drop_runs(mask: Mask, value: bool, shorter_than: int) -> Mask:
    """`mask` with the runs of `value` shorter than so many frames inverted; runs of silence at the ends stay."""
    result = mask.copy()
    for start, stop in runs(mask == value):
        at_end = start == 0 or stop == len(mask)
        if stop - start < shorter_than and (value or not at_end):
            result[start:stop] = not value
    return result


def runs(mask: Mask) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
