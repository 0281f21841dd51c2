"""pyannote.audio's clusterings, kept from failing on short recordings and from eating memory on long ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from pyannote.audio.pipelines import clustering
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, BaseClustering, VBxClustering
from scipy.cluster.hierarchy import linkage

MOST_EMBEDDINGS = 8_000  # about two hours of talk; their pairs take half a gigabyte, and memory goes with the square
ROWS = 512  # of the matrix of distances that are worked out at once

Distances = npt.NDArray[np.float64]


class Restrained(BaseClustering):
    """Asks for no more clusters than there are embeddings, and finds the clusters on at most `most` embeddings, spread
    evenly over the recording. All are then assigned to them, as ever. Up to that number nothing changes but who works
    out the distances.
    """

    most: int | None = None

    def filter_embeddings(self, embeddings: npt.NDArray[Any], *args: Any, **options: Any) -> Any:
        chosen, chunks, speakers = super().filter_embeddings(embeddings, *args, **options)
        if self.most is None or len(chosen) <= self.most:
            return chosen, chunks, speakers
        rows = np.linspace(0, len(chosen) - 1, self.most).astype(np.intp)
        return chosen[rows], chunks[rows], speakers[rows]

    def __call__(
        self,
        embeddings: npt.NDArray[Any],
        segmentations: Any = None,
        num_clusters: int | None = None,
        min_clusters: int | None = None,
        max_clusters: int | None = None,
        **options: Any,
    ) -> Any:
        chosen, _, _ = self.filter_embeddings(embeddings, segmentations=segmentations)
        bounds = self.set_num_clusters(max(1, len(chosen)), num_clusters, min_clusters, max_clusters)
        with nullcontext() if self.most is None else _quick_distances():
            return super().__call__(embeddings, segmentations, *bounds, **options)


class RestrainedVBx(Restrained, VBxClustering):
    pass


class RestrainedAgglomerative(Restrained, AgglomerativeClustering):
    pass


@contextmanager
def _quick_distances() -> Iterator[None]:
    """pyannote.audio's clusterings grow their trees over `distances`: SciPy's own take most of the CPU's time where a
    GPU does the hearing.
    """

    def tree(observations: npt.NDArray[Any], method: str = "single", metric: str = "euclidean") -> Any:
        if metric != "euclidean":
            return linkage(observations, method, metric)
        return linkage(distances(observations), method)

    clustering.linkage = tree
    try:
        yield
    finally:
        clustering.linkage = linkage


def distances(rows: npt.NDArray[np.floating[Any]]) -> Distances:
    """Euclidean ones of all pairs of `rows`, shape (number, dimension), in SciPy's condensed form: (pairs,).

    By products of matrices: |a - b|² = |a|² + |b|² - 2ab, which for vectors of about unit length is right to 1e-15, and
    of vectors that are the same makes some 1e-8 instead of nothing.
    """
    rows = np.asarray(rows, dtype=np.float64)
    count = len(rows)
    squares = np.einsum("ij,ij->i", rows, rows)
    found = np.empty(count * (count - 1) // 2)
    done = 0
    for start in range(0, count, ROWS):
        part = rows[start : start + ROWS] @ rows[start:].T
        part *= -2
        part += squares[start : start + ROWS, None]
        part += squares[start:]
        np.sqrt(np.maximum(part, 0, out=part), out=part)
        for number, row in enumerate(part):
            behind = row[number + 1 :]
            found[done : done + len(behind)] = behind
            done += len(behind)
    return found
