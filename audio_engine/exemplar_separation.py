"""Splitting what two or more people say at once by what each of them sounds like alone; see `exemplars` for the method.

A pair of speakers is separated only where that works for the two: before it is used it is tried on a mixture of their
own solo speech, kept out of the exemplars for that, where the right answer is known. Other overlaps stay a plain copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from .exemplars import (
    GRID,
    PIECE,
    Exemplars,
    Frames,
    Matrix,
    Memory,
    magnitudes_at,
    magnitudes_of,
    pieces,
    samples_of,
    shares,
    spread,
)
from .memory import Samples
from .overlaps import REACH, Overlap, Overlaps
from .parallel import MOST_WORKERS, ordered
from .separation import Separator, si_sdr, with_floor
from .spectra import Signal

EXEMPLARS = 300  # of a speaker
FEWEST_EXEMPLARS = 40  # about a second of solo speech; less says too little about a voice
ITERATIONS = 30
PENALTY = 0.03
CONTEXT = 2  # frames around a stretch that are solved with it
TRIAL_FRAMES = 160  # about four seconds
SHORTEST_TRIAL = 10
LEAST_GAIN_DB = 0.0  # SI-SDR that separation must win in the trial

HeldOut = tuple[Exemplars, Signal]


class ExemplarSeparator(Separator):
    """Masks for the overlaps of a recording, `pcm` (samples,) float32 at 16 kHz mono."""

    def __init__(self, pcm: Samples, overlaps: Overlaps) -> None:
        super().__init__(overlaps)
        self._pcm = pcm
        self._voices: Memory[Exemplars] = Memory()
        self._held_out: Memory[HeldOut | None] = Memory()
        self._solved: Memory[tuple[Matrix, int]] = Memory(most=MOST_WORKERS)

    @cached_property
    def _solo(self) -> dict[int, Frames]:
        """The frames that hold nothing but the speaker."""
        result = {}
        for speaker, spans in self.overlaps.solo.items():
            runs = [np.arange(*GRID.within(start, stop)) for start, stop in spans.tolist()]
            result[speaker] = np.concatenate([np.zeros(0, np.int64), *runs])
        return result

    def _learn_voice(self, speaker: int) -> Exemplars:
        return self._learn(self._solo[speaker])

    def _learn(self, frames: Frames) -> Exemplars:
        return Exemplars.of(magnitudes_at(self._pcm, spread(frames, 2 * EXEMPLARS)), EXEMPLARS)

    def separable(self, overlap: Overlap) -> bool:
        """Whether all pairs in it are known well enough and different enough to be told apart."""
        return all(self._gains[pair] >= LEAST_GAIN_DB for pair in combinations(overlap.speakers, 2))

    @cached_property
    def _gains(self) -> dict[tuple[int, int], float]:
        """What the trial of each pair that speaks at once has won."""
        pairs = sorted({pair for overlap in self.overlaps.stretches for pair in combinations(overlap.speakers, 2)})
        return dict(zip(pairs, ordered(lambda pair: self._trial(*pair), pairs), strict=True))

    def _trial(self, first: int, second: int) -> float:
        """SI-SDR in dB, mean of the two, that separation adds on a mixture of solo speech at equal levels."""
        one, other = (self._held_out.recall(self._hold_out, speaker) for speaker in (first, second))
        if one is None or other is None:
            return -np.inf
        return _trial_gain((one[0], other[0]), (one[1], other[1]))

    def _hold_out(self, speaker: int) -> HeldOut | None:
        """Some solo speech, and exemplars from the rest of it; None where there is too little."""
        frames = self._solo[speaker]
        if len(frames) < FEWEST_EXEMPLARS:
            return None
        first, last = _longest_run(frames, min(TRIAL_FRAMES, len(frames) // 3))
        rest = self._learn(frames[(frames < first - 3) | (frames >= last + 3)])
        if last - first < SHORTEST_TRIAL or len(rest) < FEWEST_EXEMPLARS // 2:
            return None
        return rest, samples_of(self._pcm, first, last)

    def masks(self, overlap: Overlap, first: int, last: int) -> dict[int, Matrix]:
        solved = [
            (self._solved.recall(self._solve, overlap, piece), start, stop)
            for piece, start, stop in pieces(first, last)
        ]
        joined = [masks[:, :, start - offset : stop - offset] for (masks, offset), start, stop in solved]
        return dict(zip(overlap.speakers, np.concatenate(joined, axis=2), strict=True))

    def _solve(self, overlap: Overlap, piece: int) -> tuple[Matrix, int]:
        """Masks (speakers, bins, frames) of the overlap's frames in the piece, and the number of the first of them."""
        first, last = GRID.touching(overlap.start, overlap.stop)
        first, last = max(first, piece * PIECE), min(last, (piece + 1) * PIECE)
        active = self.overlaps.active(overlap.speakers, first - CONTEXT, last + CONTEXT)
        present = np.flatnonzero(active.any(axis=1))
        voices = [self._voices.recall(self._learn_voice, overlap.speakers[index]) for index in present.tolist()]
        magnitudes = magnitudes_of(self._pcm, first - CONTEXT, last + CONTEXT)
        masks = np.zeros((len(active), *magnitudes.shape), dtype=np.float32)
        masks[present] = shares(magnitudes, voices, active[present], PENALTY, ITERATIONS)
        return with_floor(masks, active)[:, :, CONTEXT:-CONTEXT], first


def _longest_run(frames: Frames, most: int) -> tuple[int, int]:
    """First and one past the last of the longest run of consecutive frames, cut to `most` frames at its middle."""
    runs = np.split(frames, np.flatnonzero(np.diff(frames) != 1) + 1)
    longest = max(runs, key=len)
    skipped = max(0, len(longest) - most) // 2
    first = int(longest[skipped])
    return first, first + min(most, len(longest))


def _trial_gain(voices: Sequence[Exemplars], heard: Sequence[Signal]) -> float:
    length = min(len(signal) for signal in heard)
    signals = [signal[:length] / (np.sqrt(np.mean(signal[:length] ** 2)) + 1e-9) for signal in heard]
    mixture = GRID.analyse(np.sum(signals, axis=0))
    magnitudes = np.ascontiguousarray(np.abs(mixture).T)
    masks = shares(magnitudes, voices, np.ones((2, magnitudes.shape[1]), bool), PENALTY, ITERATIONS)
    inner = slice(REACH, -REACH)  # where all frames are there
    parts = [GRID.synthesise(mixture * mask.T)[inner] for mask in masks]
    truths = [signal[inner] for signal in signals]
    whole = np.sum(truths, axis=0)
    gains = [si_sdr(part, truth) - si_sdr(whole, truth) for part, truth in zip(parts, truths, strict=True)]
    return float(np.mean(gains))
