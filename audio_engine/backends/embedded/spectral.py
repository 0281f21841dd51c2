"""Spectral embedding of windows on a graph of nearest neighbours, and k-means on it.

Sources: Ng, Jordan & Weiss, "On Spectral Clustering" (NIPS 2001); Park et al., "Auto-Tuning Spectral Clustering for
Speaker Diarization Using Normalized Maximum Eigengap" (IEEE SPL 2020) for the binary, symmetrised neighbour graph.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MINIMUM_NEIGHBOURS = 8  # fewer tie a window to the windows it overlaps in time and to nothing else
SEED = 0

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class NeighbourGraph:
    """The windows' graph for any number of neighbours; each spectrum is computed once."""

    def __init__(self, vectors: Matrix, components: int) -> None:
        """`vectors` (windows, dimension) are unit vectors; `components` eigenvectors are kept."""
        self.size = len(vectors)
        self.affinity = vectors @ vectors.T
        self._order = np.argsort(-self.affinity, axis=1, kind="stable")
        self._components = min(components, self.size - 1)
        self._spectra: dict[int, tuple[Matrix, Matrix]] = {}

    def spectrum(self, neighbours: float) -> tuple[Matrix, Matrix]:
        """The smallest eigenvalues of the normalised Laplacian, rising, shape (components,), and their vectors."""
        count = int(np.clip(round(neighbours), MINIMUM_NEIGHBOURS, self.size - 1))
        if count not in self._spectra:
            self._spectra[count] = self._solve(count)
        return self._spectra[count]

    def _solve(self, neighbours: int) -> tuple[Matrix, Matrix]:
        from scipy.sparse import csr_matrix, diags
        from scipy.sparse.linalg import eigsh

        rows = np.repeat(np.arange(self.size), neighbours)
        columns = self._order[:, :neighbours].ravel()
        graph = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(self.size, self.size))
        graph = (graph + graph.T) / 2
        scale = diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
        start = np.random.default_rng(SEED).standard_normal(self.size)
        values, vectors = eigsh(scale @ graph @ scale, k=self._components, which="LA", v0=start)
        return np.maximum(1 - values[::-1], 0.0), vectors[:, ::-1]

    def partition(self, clusters: int, neighbours: float) -> Labels:
        if clusters == 1:
            return np.zeros(self.size, dtype=np.int64)
        return kmeans(unit_rows(self.spectrum(neighbours)[1][:, :clusters]), clusters)


def unit_rows(matrix: Matrix) -> Matrix:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def kmeans(points: Matrix, count: int, restarts: int = 5) -> Labels:
    """Lloyd's algorithm with k-means++ starts (Arthur & Vassilvitskii, SODA 2007), the best of `restarts`."""
    generator = np.random.default_rng(SEED)
    best, best_cost = np.zeros(len(points), dtype=np.int64), np.inf
    for _ in range(restarts):
        labels, cost = _lloyd(points, _spread_starts(points, count, generator))
        if cost < best_cost:
            best, best_cost = labels, cost
    return best


def _spread_starts(points: Matrix, count: int, generator: np.random.Generator) -> Matrix:
    centres = points[[generator.integers(len(points))]]
    while len(centres) < count:
        distance = _squared_distances(points, centres).min(axis=1) + 1e-12
        centres = np.vstack((centres, points[generator.choice(len(points), p=distance / distance.sum())]))
    return centres


def _lloyd(points: Matrix, centres: Matrix) -> tuple[Labels, float]:
    for _ in range(50):
        labels = _squared_distances(points, centres).argmin(axis=1)
        moved = np.array([points[labels == k].mean(0) if (labels == k).any() else c for k, c in enumerate(centres)])
        if np.allclose(moved, centres):
            break
        centres = moved
    distance = _squared_distances(points, centres)
    return distance.argmin(axis=1), float(distance.min(axis=1).sum())


def _squared_distances(points: Matrix, centres: Matrix) -> Matrix:
    return ((points[:, None] - centres) ** 2).sum(axis=2)
