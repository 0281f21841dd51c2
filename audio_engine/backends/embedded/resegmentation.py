"""From window scores to the speaker of each 20 ms frame: scores between window centres, then the cheapest path.

Source: Viterbi, "Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm" (IEEE TIT
1967).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .clustering import Clusters
from .embeddings import Windows

CHANGE_PENALTY = 0.5  # summed cosine over frames

Scores = npt.NDArray[np.float32]


def frame_scores(windows: Windows, clusters: Clusters, first: int, last: int) -> Scores:
    """Fused cosine of each cluster on the 20 ms frames first to last, linear between window centres,
    shape (last - first, speakers)."""
    low = max(int(np.searchsorted(windows.centres, 2 * first)) - 1, 0)
    high = min(int(np.searchsorted(windows.centres, 2 * last)) + 1, len(windows))
    vectors = windows.take(np.arange(low, high))
    scores = np.einsum("isd,ksd->ik", vectors, clusters.centroids, optimize=True) / vectors.shape[1] ** 0.5
    frames = 2 * np.arange(first, last) + 1
    return np.stack([np.interp(frames, windows.centres[low:high], column) for column in scores.T], axis=1)


def viterbi(scores: Scores, penalty: float) -> npt.NDArray[np.int64]:
    """The sequence of columns with the highest sum of scores less `penalty` for each change, shape (frames,)."""
    frames, states = scores.shape
    came_from = np.zeros((frames, states), dtype=np.int16)
    total = scores[0].astype(np.float64)
    stay = np.arange(states)
    for frame in range(1, frames):
        best = int(total.argmax())
        change = total[best] - penalty > total
        came_from[frame] = np.where(change, best, stay)
        total = np.where(change, total[best] - penalty, total) + scores[frame]
    path = np.empty(frames, dtype=np.int64)
    path[-1] = total.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
