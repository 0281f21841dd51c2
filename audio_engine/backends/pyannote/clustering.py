"""pyannote.audio's clusterings, kept from failing on short recordings and from eating memory on long ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, BaseClustering, VBxClustering

MOST_EMBEDDINGS = 8_000  # about two hours of talk; their pairs take half a gigabyte, and memory goes with the square


class Restrained(BaseClustering):
    """Asks for no more clusters than there are embeddings, and finds the clusters on at most `most` embeddings, spread
    evenly over the recording. All are then assigned to them, as ever. Up to that number nothing changes.
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
        return super().__call__(embeddings, segmentations, *bounds, **options)


class RestrainedVBx(Restrained, VBxClustering):
    pass


class RestrainedAgglomerative(Restrained, AgglomerativeClustering):
    pass
