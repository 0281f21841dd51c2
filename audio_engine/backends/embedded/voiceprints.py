"""A speaker's voiceprint: the mean of the embeddings of where nobody else speaks.

Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018), whose speaker centroid is the
mean of the unit embeddings of windows. Here a window's embedding is that of all scales, one after the other, and the
windows least like the mean are left out, among which are most of those that are another's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...types import Turn
from ...voices import Voiceprint
from ..base import voiceprint
from .embeddings import Windows
from .frame_features import FRAME_RATE
from .voice_space import Matrix, unit_rows

MOSTLY = 0.75  # of a longer window, in which its speaker is alone by the turns
PURE = 0.7  # of a shorter window, in which one voice is expected to be alone
LEAST_WINDOWS = 2
MOST_WINDOWS = 2_000  # of a speaker: 13 minutes of speech
LEFT_OUT = 0.3  # of the windows, those least like the mean
REFINEMENTS = 3
NOBODY, SEVERAL = -1, -2

Owners = npt.NDArray[np.int16]
Rows = npt.NDArray[np.int64]


def voiceprints(
    windows: Windows, turns: Sequence[Turn], speakers: int, frames: int, model: str
) -> tuple[Voiceprint | None, ...]:
    """By speaker; None for one who is alone in the middle of no window. `turns` say who speaks; `frames` are the
    recording's, of 20 ms; `model` is the encoder's name and version."""
    owners, shares = window_owners(windows.centres, solo_speakers(turns, frames), max(windows.scales))
    found: list[Voiceprint | None] = []
    for speaker in range(speakers):
        rows = _best_rows(owners == speaker, shares >= MOSTLY, windows.alone >= PURE)
        vectors = windows.take(rows).astype(np.float64)
        found.append(voiceprint(model, _centroid(vectors.reshape(len(rows), -1))) if len(rows) else None)
    return tuple(found)


def solo_speakers(turns: Sequence[Turn], frames: int) -> Owners:
    """Who alone speaks in each 20 ms frame, NOBODY or SEVERAL where that is no one, shape (frames,)."""
    solo = np.full(frames, NOBODY, dtype=np.int16)
    for turn in turns:
        part = slice(round(turn.start * FRAME_RATE), round(turn.end * FRAME_RATE))
        solo[part] = np.where(solo[part] == NOBODY, turn.speaker, SEVERAL)
    return solo


def window_owners(centres: Rows, solo: Owners, length: int) -> tuple[Owners, npt.NDArray[np.float64]]:
    """Who is alone in the middle of each window of `length` around `centres`, in 10 ms frames, and in what share of it;
    both of shape (windows,)."""
    middles = np.minimum(centres // 2, len(solo) - 1)
    owners, alone = solo[middles], np.zeros(len(centres))
    reach = length // 4  # 20 ms frames to either side
    for offset in range(-reach, reach):
        seen = middles + offset
        inside = (seen >= 0) & (seen < len(solo))
        alone += inside & (solo[np.clip(seen, 0, len(solo) - 1)] == owners)
    return owners, alone / (2 * reach)


def _best_rows(own: npt.NDArray[np.bool_], *wishes: npt.NDArray[np.bool_]) -> Rows:
    """The windows of `own` that fulfil the `wishes`, the earlier first where there are too few for all; evenly spread
    where there are too many."""
    for wish in wishes:
        if (own & wish).sum() >= LEAST_WINDOWS:
            own = own & wish
    rows = np.flatnonzero(own)
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_WINDOWS)).round().astype(np.int64)]


def _centroid(vectors: Matrix) -> npt.NDArray[np.float64]:
    vectors = unit_rows(vectors)
    mean = vectors.mean(axis=0)
    for _ in range(REFINEMENTS):
        likeness = vectors @ mean
        mean = vectors[likeness >= np.quantile(likeness, LEFT_OUT)].mean(axis=0)
    return mean
