"""Where music plays, in pieces of a quarter of a minute.

Music goes on while nobody speaks, so it is looked for in the quieter half of each piece: in most frames there, enough
of the power has to sound on and come again (see `music_mask`). A single piece is overruled by its two neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import median_filter

from .exemplars import GRID, PIECE, magnitudes_of
from .memory import Samples
from .music_mask import MusicMask
from .parallel import ordered

LEAST_SHARE = 0.27  # of a frame's power
FEWEST_FRAMES = PIECE // 4  # less says too little
SILENCE = 1e-9  # power of a frame


def pieces_with_music(pcm: Samples, report: Callable[[float], None]) -> frozenset[int]:
    """The numbers of those pieces of `PIECE` frames of `GRID`; `pcm` (samples,) float32 at 16 kHz mono. `report` takes
    the fraction done.
    """
    music = MusicMask(pcm, (), None)
    frames = len(pcm) // GRID.hop
    numbers = range(max(1, round(frames / PIECE)))  # a short rest is as the piece before
    shares = []
    for share in ordered(lambda number: _share(pcm, music, number * PIECE, min(frames, (number + 1) * PIECE)), numbers):
        shares.append(share)
        report(len(shares) / len(numbers))
    found = set(np.flatnonzero(median_filter(np.array(shares), 3, mode="nearest") > LEAST_SHARE).tolist())
    return frozenset(found | ({len(numbers)} if len(numbers) - 1 in found else set()))


def _share(pcm: Samples, music: MusicMask, first: int, last: int) -> float:
    """Median share of music in the quieter half of the frames `first` to `last`."""
    if last - first < FEWEST_FRAMES:
        return 0.0
    magnitudes = magnitudes_of(pcm, first, last)
    power = np.square(magnitudes).sum(axis=0) + SILENCE
    quiet = power <= np.median(power)
    return float(np.median((np.square(magnitudes * music.mask(first, last)).sum(axis=0) / power)[quiet]))
