"""Who else speaks where two do: the second-best cluster in the stretches that the head hears as overlap.

Source: Bullock, Bredin & Garcia-Perera, "Overlap-Aware Diarization: Resegmentation Using Neural End-to-End Overlapped
Speech Detection" (ICASSP 2020).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .activity import Mask, Posteriors, drop_runs, hysteresis
from .resegmentation import Scores

ONSET = 0.5
OFFSET = 0.4
MINIMUM_FRAMES = 5  # of 20 ms


def overlap_mask(posteriors: Posteriors, speech: Mask) -> Mask:
    mask = hysteresis(posteriors, ONSET, OFFSET) & speech
    return drop_runs(mask, True, MINIMUM_FRAMES)


def second_speakers(scores: Scores, path: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The best column of each frame other than the path's, shape (frames,)."""
    others = scores.copy()
    others[np.arange(len(path)), path] = -np.inf
    return others.argmax(axis=1)
