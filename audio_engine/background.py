"""Lowering noise and music under and between words, by how the recording sounds while nobody speaks.

Two masks, of which the lower counts in each bin. One explains each frame by examples of speech in general and of this
recording's own pauses (see `exemplars`), which takes away what has a shape of its own: music, hum, other voices. The
other compares the frame with the mean power of the pauses around it, which takes away what is steady: hiss, fans, rain
(Ephraim & Malah, "Speech Enhancement Using a Minimum Mean-Square Error Log-Spectral Amplitude Estimator", IEEE TASSP
1985). Where the pauses are quiet already the recording stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from scipy.ndimage import gaussian_filter1d
from scipy.special import exp1

from .exemplars import (
    GRID,
    PIECE,
    RATE,
    Exemplars,
    Frames,
    Matrix,
    Memory,
    magnitudes_at,
    magnitudes_of,
    pieces,
    shares,
    spread,
)
from .memory import Samples
from .parallel import MOST_WORKERS
from .tracks import subtract, union
from .types import Turn

SPEECH_EXEMPLARS = Path(__file__).parent / "speech_exemplars.safetensors"
EXEMPLARS = 300  # of the background
NEARBY = 1000  # frames of pauses that stand for a piece's background, about 24 s
FEWEST_FRAMES = 20  # half a second of pauses; less says too little
ITERATIONS = 15
MASK_FLOOR = 0.05  # what is taken away keeps so much, or silence between words would sound like a fault
SMOOTHING = 0.98  # of the decision-directed estimate
LEAST_SNR = 0.003  # a priori
LARGEST_RATIO = 1e4
PAUSE_SPREAD = 40  # frames: how far the power of a pause holds, standard deviation
RUN_IN = 25  # frames before a piece, from which the recursion starts
NOISY_DB, CLEAN_DB = 17.0, 25.0  # speech over pauses: cleaned in full below the first, left alone above the second

Power = npt.NDArray[np.float64]


class BackgroundMask:
    """What speech is of each bin of a recording, `pcm` (samples,) float32 at 16 kHz mono, by who spoke when.

    `strength` from 0 to 1 scales the masks in dB.
    """

    def __init__(self, pcm: Samples, turns: Sequence[Turn], strength: float = 1.0) -> None:
        self._pcm, self._strength = pcm, strength
        speech = union((round(turn.start * RATE), round(turn.end * RATE)) for turn in turns)
        gaps = subtract(np.array([[0, len(pcm)]]), speech).tolist()
        self._pauses = np.concatenate([np.zeros(0, np.int64), *(np.arange(*GRID.within(*gap)) for gap in gaps)])
        self._solved: Memory[Matrix] = Memory(most=MOST_WORKERS)

    @property
    def knows_background(self) -> bool:
        """Whether there are pauses enough to hear the background in. Else all masks are one."""
        return len(self._pauses) >= FEWEST_FRAMES

    def mask(self, first: int, last: int) -> Matrix:
        """From `MASK_FLOOR` to 1 for the frames `first` to `last`, shape (bins, frames)."""
        solved = [
            (self._solved.recall(self._solve, piece), start - piece * PIECE, stop - piece * PIECE)
            for piece, start, stop in pieces(first, last)
        ]
        return np.concatenate([mask[:, start:stop] for mask, start, stop in solved], axis=1)

    @cached_property
    def _voices(self) -> Exemplars:
        bins = load_file(SPEECH_EXEMPLARS)["bins"].astype(np.float32)
        return Exemplars.of(bins, bins.shape[1])

    def _solve(self, piece: int) -> Matrix:
        first, last = piece * PIECE - RUN_IN, (piece + 1) * PIECE
        pauses = np.isin(np.arange(first, last), self._pauses)
        untouched = np.ones((GRID.bins, PIECE), dtype=np.float32)
        if pauses[RUN_IN:].all() or not self.knows_background:
            return untouched
        magnitudes = magnitudes_of(self._pcm, first, last)
        background = magnitudes_at(self._pcm, spread(self._nearest_pauses((first + last) // 2), EXEMPLARS))
        noisy = noisiness(magnitudes[:, ~pauses], background)
        if noisy == 0:
            return untouched
        mask = np.minimum(
            self._unexplained_by(background, magnitudes),
            steady_mask(magnitudes, pauses, np.mean(np.square(background), axis=1)),
        )
        return (np.clip(mask, MASK_FLOOR, 1) ** (self._strength * noisy))[:, RUN_IN:].astype(np.float32)

    def _nearest_pauses(self, centre: int) -> Frames:
        middle = int(np.searchsorted(self._pauses, centre))
        return self._pauses[max(0, middle - NEARBY // 2) : middle + NEARBY // 2]

    def _unexplained_by(self, background: Matrix, magnitudes: Matrix) -> Matrix:
        sounds = (self._voices, Exemplars.of(background, EXEMPLARS))
        anything = np.ones((2, magnitudes.shape[1]), dtype=bool)
        speech: Matrix = shares(magnitudes, sounds, anything, penalty=0, iterations=ITERATIONS)[0]
        return speech


def noisiness(speech: Matrix, background: Matrix) -> float:
    """How much there is to clean, 0 to 1, by the magnitudes (bins, frames) of what is spoken and of the pauses."""
    spoken = float(np.mean(np.sum(np.square(speech), axis=0)))
    between = float(np.median(np.sum(np.square(background), axis=0)))  # pauses may hold a word that nobody noticed
    if not between:  # digital silence: there is none
        return 0.0
    ratio = 10 * np.log10((spoken + 1e-20) / (between + 1e-20))
    return float(np.clip((CLEAN_DB - ratio) / (CLEAN_DB - NOISY_DB), 0, 1))


def steady_mask(magnitudes: Matrix, pauses: npt.NDArray[np.bool_], usual: Matrix) -> Power:
    """Log-spectral amplitude gains, shape (bins, frames), against the power in the `pauses` (frames,) around, or
    `usual`, shape (bins,), where there are none."""
    power = np.square(magnitudes.astype(np.float64)).T + 1e-12
    noise = _noise_power(power, pauses, usual)
    gains = np.empty_like(power)
    speech = np.zeros(GRID.bins)
    for frame in range(len(power)):
        ratio = np.minimum(power[frame] / noise[frame], LARGEST_RATIO)
        prior = SMOOTHING * speech / noise[frame] + (1 - SMOOTHING) * np.maximum(ratio - 1, 0)
        gains[frame] = amplitude_gain(np.maximum(prior, LEAST_SNR), ratio, MASK_FLOOR)
        speech = gains[frame] ** 2 * power[frame]
    return gains.T


def _noise_power(power: Power, pauses: npt.NDArray[np.bool_], usual: Matrix) -> Power:
    weight = pauses.astype(np.float64)
    near = gaussian_filter1d(weight, PAUSE_SPREAD, truncate=3)[:, None]
    heard = gaussian_filter1d(power * weight[:, None], PAUSE_SPREAD, axis=0, truncate=3)
    noise: Power = (heard + 1e-6 * (usual + 1e-12)) / (near + 1e-6)
    return noise


def amplitude_gain(prior: Power, ratio: Power, floor: float) -> Power:
    """Of Ephraim & Malah's estimator, from `floor` to 1, by the SNR as expected and as heard, both power ratios."""
    wiener = prior / (1 + prior)
    gain: Power = np.clip(wiener * np.exp(exp1(np.maximum(wiener * ratio, 1e-6)) / 2), floor, 1)
    return gain
