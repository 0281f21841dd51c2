"""From window scores to the speaker of each 10 ms frame: scores between window centres, then the cheapest path.

Source: Viterbi, "Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm" (IEEE TIT
1967).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .clustering import Clusters
from .embeddings import Windows

RATE = 100  # frames a second
CHANGE_PENALTY = 1.0  # summed cosine over frames
STRETCH = 250  # frames

Scores = npt.NDArray[np.float32]
Totals = npt.NDArray[np.float64]


def frame_scores(windows: Windows, clusters: Clusters, first: int, last: int) -> Scores:
    """Fused cosine of each cluster on the frames first to last, linear between window centres,
    shape (last - first, speakers)."""
    low = max(int(np.searchsorted(windows.centres, first)) - 1, 0)
    high = min(int(np.searchsorted(windows.centres, last)) + 1, len(windows))
    vectors = windows.take(np.arange(low, high))
    scores = np.einsum("isd,ksd->ik", vectors, clusters.centroids, optimize=True) / vectors.shape[1] ** 0.5
    frames = np.arange(first, last) + 0.5
    return np.stack([np.interp(frames, windows.centres[low:high], column) for column in scores.T], axis=1)


def viterbi(scores: Scores, penalty: float) -> npt.NDArray[np.int64]:
    """The sequence of columns with the highest sum of scores less `penalty` for each change, shape (frames,).

    Stretches are searched side by side, from every column that the frame before one may be in; then it is known which.
    """
    frames, states = scores.shape
    stretches = -(-frames // STRETCH)
    padded = np.concatenate((scores, np.zeros((stretches * STRETCH - frames, states), dtype=scores.dtype)))
    total, came_from = _search(padded.reshape(stretches, STRETCH, 1, states), penalty)
    before, last = _joined(total)
    path = np.empty((STRETCH, stretches), dtype=np.int64)
    path[-1] = last
    for frame in range(STRETCH - 1, 0, -1):
        path[frame - 1] = came_from[frame, np.arange(stretches), before, path[frame]]
    return path.T.reshape(-1)[:frames]


def _search(scores: Scores, penalty: float) -> tuple[Totals, npt.NDArray[np.int8]]:
    """Of each stretch, by the column before it: the highest sum that ends in each column, (stretches, columns,
    columns), and by way of which column each frame has it, (frames, stretches, columns, columns).

    `scores` are (stretches, frames, 1, columns)."""
    stretches, frames, _, states = scores.shape
    stay = np.arange(states)
    total: Totals = np.where(np.eye(states, dtype=bool), 0.0, -penalty) + scores[:, 0]
    came_from = np.empty((frames, stretches, states, states), dtype=np.int8)
    for frame in range(1, frames):
        best = total.argmax(axis=2, keepdims=True)
        changed = np.take_along_axis(total, best, axis=2) - penalty
        came_from[frame] = np.where(changed > total, best, stay)
        total = np.maximum(changed, total) + scores[:, frame]
    return total, came_from


def _joined(totals: Totals) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The column before each stretch and its last one, on the best way through all; each of shape (stretches,)."""
    so_far = np.zeros(totals.shape[1])
    came_from = np.empty(totals.shape[:2], dtype=np.int64)
    for number, total in enumerate(totals):
        ways = so_far[:, None] + total
        came_from[number] = ways.argmax(axis=0)
        so_far = ways.max(axis=0)
    columns = [int(so_far.argmax())]
    for back in came_from[::-1]:
        columns.append(int(back[columns[-1]]))
    way = np.array(columns[::-1])
    return way[:-1], way[1:]
