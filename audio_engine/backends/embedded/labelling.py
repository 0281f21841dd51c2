"""Who speaks in each frame and who else: by embeddings, then by models of the voices that these have told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .activity import Mask, Posteriors, halved
from .blocks import block_ranges
from .clustering import Clusters
from .confidence import Support, support
from .embeddings import Windows
from .overlap import overlap_mask, second_speakers, with_nearness
from .resegmentation import CHANGE_PENALTY, RATE, Scores, frame_scores, viterbi
from .speaker_models import Cepstra, SpeakerModels

NOBODY = -1
MODELS_WEIGHT = 0.15  # of a log likelihood ratio, against a cosine
BLOCK_FRAMES = 600 * RATE

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Labelling:
    """Of each 10 ms frame, shape (frames,): who speaks and who else, NOBODY where nobody does; and of each 20 ms how
    well the embeddings support the first."""

    first: Labels
    second: Labels
    support: Support


def label(
    windows: Windows,
    clusters: Clusters,
    features: Cepstra | None,
    speech: Mask,
    overlap: Posteriors,
    report: Callable[[float], None],
) -> Labelling:
    """`features` are left out where there are no two voices to tell apart; `speech` is on frames of 10 ms, too, and the
    posteriors of `overlap` on those of 20; `report` takes the fraction done."""
    models = None if features is None else _models(windows, clusters, features, speech, overlap)
    first = np.full(len(speech), NOBODY, dtype=np.int8)
    second = first.copy()
    backing = np.zeros((len(speech) // 2, 2), dtype=np.float16)
    for start, stop in block_ranges(len(speech), BLOCK_FRAMES):
        likeness = frame_scores(windows, clusters, start, stop)
        scores = likeness
        if features is not None and models is not None:
            scores = likeness + np.float32(MODELS_WEIGHT) * models.ratios(features, start, stop)
        path = viterbi(scores, CHANGE_PENALTY)
        backing[start // 2 : stop // 2] = support(likeness, path).reshape(-1, 2, 2).mean(axis=1)
        first[start:stop] = np.where(speech[start:stop], path, NOBODY)
        if len(clusters) > 1:
            other, lead = second_speakers(scores, path)
            heard = halved(overlap[start // 2 : stop // 2])
            together = overlap_mask(with_nearness(heard, lead), speech[start:stop])
            second[start:stop] = np.where(together, other, NOBODY)
        report(stop / len(speech))
    return Labelling(first, second, backing)


def _models(
    windows: Windows, clusters: Clusters, features: Cepstra, speech: Mask, overlap: Posteriors
) -> SpeakerModels | None:
    """From the frames in which one voice is alone, by whom the embeddings say it is."""
    nearest: Labels = np.full(len(speech), NOBODY, dtype=np.int8)
    for start, stop in block_ranges(len(speech), BLOCK_FRAMES):
        spoken = speech[start:stop]
        alone = spoken & ~overlap_mask(halved(overlap[start // 2 : stop // 2]), spoken)
        scores: Scores = frame_scores(windows, clusters, start, stop)
        nearest[start:stop] = np.where(alone, scores.argmax(axis=1), NOBODY)
    return SpeakerModels.of(features, (np.flatnonzero(nearest == speaker) for speaker in range(len(clusters))))
