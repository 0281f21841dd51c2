"""Whose each window is and how many voices there are: variational Bayes on a hidden Markov model of voices.

Each state is a voice, a point drawn from the voice space's distribution between voices, and windows scatter about it;
voices that the windows do not need lose theirs. Source: Landini, Profant, Diez & Burget, "Bayesian HMM Clustering of
X-Vector Sequences (VBx) in Speaker Diarization: Theory, Implementation and Analysis on Standard Tasks" (Computer Speech
& Language 2022), from where also the start by agglomerative clustering.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .embeddings import GRID
from .voice_space import Matrix, VoiceSpace

Labels = npt.NDArray[np.int64]

STARTS = (12, 16, 24)  # clusters to start with; what is too many dies out
MORE = (0, 2, 4, 8, 16)  # clusters to start with beyond the voices that there must be, where STARTS find fewer
LENIENCE = 150.0  # nats that one more voice may cost: a true one in half a minute costs 100, one that noise made 200
START_SHARPNESS = 5.0  # of the starting responsibilities, as logits
EVIDENCE = 0.3  # of a window: its neighbours on the grid overlap it and tell much the same
PRIOR_WINDOWS = 250  # of more windows the space's prior weighs more, or every mood of a voice would be another voice
STAY = 0.8  # probability that the same voice speaks a grid step later
LEAST_WINDOWS = 4  # of a voice
ROUNDS = 20
CONVERGED = 1e-2  # nats


def voices(vectors: Matrix, centres: npt.NDArray[np.int64], space: VoiceSpace, fewest: int, most: int) -> Labels:
    """The voice of each window, shape (windows,), numbered from 0 without gaps, `fewest` to `most` of them; `vectors`
    (windows, inputs), `centres` (windows,) rising, in 10 ms frames."""
    points = space.about_these_voices(vectors)
    prior = space.prior.item() * max(1.0, len(vectors) / PRIOR_WINDOWS)
    stay = STAY ** (np.diff(centres) / GRID)

    def found(labels: Labels) -> tuple[Labels, float]:
        share, bound = _settled(points, _shares(labels), space.between, prior, stay)
        return _without_slight(share), bound

    tree = Tree(space.about_all_voices(vectors))
    best = choice([found(tree.cut(min(count, max(2, len(points) // 3)))) for count in STARTS])
    if best.max() + 1 < fewest:
        tries = (found(tree.cut(fewest + more))[0] for more in MORE)
        best = next((labels for labels in tries if labels.max() + 1 >= fewest), tree.cut(fewest))
    return merged(best, vectors, most)


def choice(ends: list[tuple[Labels, float]]) -> Labels:
    """Of the labels that the starts have led to, with the bounds of their likelihood in nats: those with the most
    voices of all within LENIENCE of the likeliest."""
    best = max(bound for _, bound in ends)
    return max((end for end in ends if end[1] >= best - LENIENCE), key=lambda end: (end[0].max(), end[1]))[0]


class Tree:
    """Points (windows, dimensions) joined two by two, the nearest first, by average linkage of cosines."""

    def __init__(self, points: Matrix) -> None:
        from scipy.cluster.hierarchy import linkage

        self._joined = linkage(points, "average", metric="cosine")

    def cut(self, clusters: int) -> Labels:
        """The cluster of each point, shape (windows,), from 0."""
        from scipy.cluster.hierarchy import fcluster

        return np.asarray(fcluster(self._joined, clusters, "maxclust") - 1, dtype=np.int64)


def merged(labels: Labels, points: Matrix, most: int) -> Labels:
    """`labels` of at most so many voices: those whose union scatters least more become one (Ward, "Hierarchical
    Grouping to Optimize an Objective Function", JASA 1963), so that a splinter goes before a voice."""
    while (count := int(labels.max()) + 1) > most:
        sizes = np.bincount(labels)
        means = np.stack([points[labels == voice].mean(axis=0) for voice in range(count)])
        apart = ((means[:, None] - means) ** 2).sum(axis=2) * sizes * sizes[:, None] / (sizes + sizes[:, None])
        gone, kept = np.unravel_index(np.where(np.tri(count, k=-1), apart, np.inf).argmin(), (count, count))
        labels = np.unique(np.where(labels == gone, kept, labels), return_inverse=True)[1]
    return labels


def _shares(labels: Labels) -> Matrix:
    """Responsibilities (windows, clusters) to start with."""
    share = np.exp(START_SHARPNESS * (labels[:, None] == np.arange(labels.max() + 1)))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _settled(
    points: Matrix, share: Matrix, between: npt.NDArray[np.float32], prior: float, stay: Matrix
) -> tuple[Matrix, float]:
    """Responsibilities (windows, voices) that change no more, and the lower bound of their likelihood."""
    weight, bound = np.full(share.shape[1], 1 / share.shape[1]), -np.inf
    for _ in range(ROUNDS):
        scores, distance = _scores(points, share, between, prior)
        share, weight, likelihood = forward_backward(scores, weight, stay)
        if likelihood - distance - bound < CONVERGED:
            break
        bound = likelihood - distance
    return share, bound


def _scores(points: Matrix, share: Matrix, between: npt.NDArray[np.float32], prior: float) -> tuple[Matrix, float]:
    """Expected log likelihood of each window under each voice, (windows, voices), up to what all voices share, and the
    divergence of the voices from the distribution between voices (equations 16 and 17 of the paper)."""
    ratio = EVIDENCE / prior
    scaled = points * np.sqrt(between)
    variance = 1 / (1 + ratio * share.sum(axis=0)[:, None] * between)
    means = ratio * variance * (share.T @ scaled)
    scores = EVIDENCE * (scaled @ means.T - 0.5 * ((variance + means**2) @ between))
    return scores, 0.5 * prior * float((variance + means**2 - np.log(variance) - 1).sum())


def forward_backward(scores: Matrix, weight: Matrix, stay: Matrix) -> tuple[Matrix, Matrix, float]:
    """Responsibilities (windows, voices), the voices' new weights (voices,) and the log likelihood, in a chain that
    keeps its voice from window n to n + 1 with probability stay[n] and else draws one by `weight` (Rabiner, "A Tutorial
    on Hidden Markov Models", Proc. IEEE 1989)."""
    top = scores.max(axis=1, keepdims=True)
    likely = np.exp(scores - top)
    forward, backward, scale = np.empty_like(likely), np.ones_like(likely), np.empty(len(likely))
    ahead = weight
    for window, one in enumerate(likely):
        joint = one * ahead
        scale[window] = joint.sum()
        forward[window] = joint / scale[window]
        if window < len(stay):
            ahead = stay[window] * forward[window] + (1 - stay[window]) * weight
    for window in range(len(stay) - 1, -1, -1):
        later = likely[window + 1] * backward[window + 1]
        backward[window] = (stay[window] * later + (1 - stay[window]) * (weight @ later)) / scale[window + 1]
    share = forward * backward
    later = likely[1:] * backward[1:] / scale[1:, None]
    drawn = share[0] + ((1 - stay)[:, None] * weight * later).sum(axis=0)
    return share / share.sum(axis=1, keepdims=True), drawn / drawn.sum(), float(np.log(scale).sum() + top.sum())


def _without_slight(share: Matrix) -> Labels:
    """The likeliest voice of each window, among those that have LEAST_WINDOWS."""
    sizes = np.bincount(share.argmax(axis=1), minlength=share.shape[1])
    kept = np.flatnonzero(sizes >= min(LEAST_WINDOWS, sizes.max()))
    return np.unique(share[:, kept].argmax(axis=1), return_inverse=True)[1]
