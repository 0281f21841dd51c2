"""Who else speaks where two do: the second-best voice, where overlap is heard and that voice is near enough.

Sources: Bullock, Bredin & Garcia-Perera, "Overlap-Aware Diarization: Resegmentation Using Neural End-to-End Overlapped
Speech Detection" (ICASSP 2020), for overlap from posteriors and its second speaker from the scores of all. That the
scores also say whether there is a second voice is ours: a stretch of two voices is like both, so that the lead of the
first is small there, and the posteriors alone miss most of what they are not sure of.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .activity import Mask, Posteriors, drop_runs, hysteresis
from .resegmentation import Scores

ONSET = 0.5
OFFSET = 0.4
MINIMUM_FRAMES = 10  # of 10 ms
NEARNESS_WEIGHT = 0.5  # of a score, against a posterior
SMALL_LEAD = 0.6  # of the first voice's score over the second's: less of it speaks for two voices, more for one


def overlap_mask(posteriors: Posteriors, speech: Mask) -> Mask:
    mask = hysteresis(posteriors, ONSET, OFFSET) & speech
    return drop_runs(mask, True, MINIMUM_FRAMES)


def with_nearness(posteriors: Posteriors, lead: npt.NDArray[np.float32]) -> Posteriors:
    """How much speaks for two voices in each frame, on the scale of the overlap `posteriors` (frames,), given the first
    voice's `lead` (frames,)."""
    return posteriors + np.float32(NEARNESS_WEIGHT) * (np.float32(SMALL_LEAD) - lead)


def second_speakers(
    scores: Scores, path: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The best column of each frame other than the path's, and by how much the path's score exceeds its score, each of
    shape (frames,)."""
    frames = np.arange(len(path))
    others = scores.copy()
    others[frames, path] = -np.inf
    second = others.argmax(axis=1)
    return second, scores[frames, path] - scores[frames, second]
