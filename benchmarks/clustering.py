"""Clustering a sample of the windows against scipy's linkage and numpy's dense eigenvectors over all of them:
`python -m benchmarks.clustering [WINDOWS ...]`.

The windows are drawn around six random speakers as the engine's voice space says windows of speakers differ. Where a
peer would take minutes or gigabytes it is left out and said so.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2
from scipy.linalg import eigh

from audio_engine.backends.embedded.clustering import cluster, sample_rows
from audio_engine.backends.embedded.embeddings import GRID
from audio_engine.backends.embedded.voice_space import shipped_space, unit_rows
from audio_engine.types import SpeakerBounds

from .rounds import compare, print_machine, print_timings

SIZES = (1_000, 4_000, 10_000, 40_000)
SPEAKERS = 6
LARGEST_EIGH, LARGEST_LINKAGE = 4_000, 10_000
NEIGHBOURS = 0.1
OUTSIDE = 0.02  # of what the space does not see, so that no window is a copy of another

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windows", type=int, nargs="*", default=SIZES)
    print_machine()
    for windows in parser.parse_args().windows:
        compare_at(windows)


def compare_at(windows: int) -> None:
    vectors, truth = speakers(windows)
    found: dict[str, Labels] = {}
    contenders = {"sampled, ours": lambda: found.update({"sampled, ours": sampled(vectors)})}
    print(f"\n{windows} windows")
    if windows <= LARGEST_LINKAGE:
        contenders["linkage"] = lambda: found.update(linkage=by_linkage(vectors))
    else:
        print(f"linkage is left out: {4e-9 * windows**2:.1f} GB of distances")
    if windows <= LARGEST_EIGH:
        contenders["dense eigh"] = lambda: found.update({"dense eigh": by_eigh(vectors)})
    else:
        print(f"dense eigh is left out: {16e-9 * windows**2:.1f} GB and about {1e-10 * windows**3:.0f} s")
    print_timings(compare(contenders), ["sampled, ours"])
    for name, labels in found.items():
        print(f"{name}: {len(np.unique(labels))} speakers, {purity(labels, truth):.2%} of the windows right")


def speakers(windows: int) -> tuple[Vectors, Labels]:
    """Vectors (windows, 1, 192) and whose they are, in turns of 20 windows."""
    random, space = np.random.default_rng(7), shipped_space("campplus")
    voices = np.sqrt(space.between) * random.standard_normal((SPEAKERS, len(space.between)))
    truth = np.repeat(random.integers(0, SPEAKERS, -(-windows // 20)), 20)[:windows]
    points = voices[truth] + random.standard_normal((windows, len(space.between)))
    spread = OUTSIDE * random.standard_normal((windows, len(space.mean)))
    vectors = (space.mean + points @ np.linalg.pinv(space.directions) + spread).reshape(windows, 1, -1)
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32), truth


def sampled(vectors: Vectors) -> Labels:
    """As the engine does: speakers from at most 1,500 windows, all others to the nearest of them."""
    rows = sample_rows(np.ones(len(vectors), np.float32))
    found = cluster(vectors[rows], GRID * rows, SpeakerBounds(), shipped_space("campplus"))
    centroids = found.centroids.reshape(len(found), -1)
    return (vectors.reshape(len(vectors), -1) @ centroids.T).argmax(axis=1)


def by_linkage(vectors: Vectors) -> Labels:
    """Told the number of speakers, which it cannot find without a threshold."""
    return fcluster(linkage(vectors.reshape(len(vectors), -1), "average", "cosine"), SPEAKERS, "maxclust")


def by_eigh(vectors: Vectors) -> Labels:
    """Told the number of speakers as well."""
    flat = unit_rows(vectors.reshape(len(vectors), -1).astype(np.float64))
    affinity = flat @ flat.T
    limit = np.quantile(affinity, 1 - NEIGHBOURS, axis=1, keepdims=True)
    graph = (affinity >= limit).astype(np.float64)
    graph = (graph + graph.T) / 2
    scale = 1 / np.sqrt(graph.sum(axis=1))
    leading = eigh(graph * scale * scale[:, None], subset_by_index=(len(flat) - SPEAKERS, len(flat) - 1))[1]
    return kmeans2(unit_rows(leading), SPEAKERS, minit="++", rng=0)[1]


def purity(labels: Labels, truth: Labels) -> float:
    return float(sum(np.bincount(truth[labels == label]).max() for label in np.unique(labels)) / len(truth))


if __name__ == "__main__":
    main()
