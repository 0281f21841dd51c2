"""Which stream of a window is whose: by the likeness of its voice to that of each speaker where they speak alone, by
when it is heard, against when each of them speaks, and by the window before.

Voices are compared as the embedded engine does, by GE2E embeddings (Wan et al., "Generalized End-to-End Loss for
Speaker Verification", ICASSP 2018), whose network every installation has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...exemplars import RATE, Activity
from ...memory import Samples
from ...overlaps import Overlaps
from ...spectra import Signal
from ..embedded.ge2e import SCALES, encode
from ..embedded.level import frame_levels, gain_curve
from ..embedded.mel import HOP, mel_power

if TYPE_CHECKING:
    from ..embedded.networks import SpeakerEncoder

LENGTH = SCALES[0]  # of what is embedded, in frames of 10 ms
STEP = 80
LEAST_SOLO = LENGTH * HOP  # samples of a speaker alone; less says too little about a voice
MOST_SOLO = 20 * RATE
LOUD_DB = 20.0  # below a stream's loudest frames, what is quieter is not listened to
SILENT_DB = -40.0  # below the mixture, a stream is nobody's
SILENT = -2.0  # how badly it then suits anybody
FRAME = RATE // 100  # samples, of which a stream's share of the whole is told
LEAST = 0.5  # with which a stream suits anybody well enough
LEAST_LEAD = 0.2  # of the best assignment over the next, sum of how well the streams suit; with less it is not taken

Suiting = npt.NDArray[np.float64]
"""How well streams suit speakers, shape (speakers, streams): a cosine, plus correlations, plus the stream's share of
the energy, since one of the streams is often a faint echo of the others; or `SILENT`."""


class Voices:
    """How the speakers of a recording, `pcm` (samples,) float32 at 16 kHz, sound alone."""

    def __init__(self, pcm: Samples, overlaps: Overlaps, encoder: SpeakerEncoder) -> None:
        self._encoder, self._overlaps = encoder, overlaps
        heard = {speaker: _solo(pcm, overlaps, speaker) for speaker in overlaps.speakers}
        self._known = {speaker: self._embed(signal) for speaker, signal in heard.items() if len(signal) >= LEAST_SOLO}

    def known(self, speakers: Sequence[int]) -> bool:
        """Whether all of them are heard alone long enough."""
        return all(speaker in self._known for speaker in speakers)

    def suiting(self, speakers: Sequence[int], streams: Signal, mixture: Signal, start: int) -> Suiting:
        """How well each of the streams, shape (streams, samples), of `mixture`, whose first sample is the recording's
        `start`, suits each of the speakers, who have to be known.
        """
        known = np.stack([self._known[speaker] for speaker in speakers])
        centres = start + FRAME // 2 + FRAME * np.arange(len(mixture) // FRAME)
        agreement = agreements(streams, self._overlaps.activity(speakers, centres))
        energies = np.square(streams, dtype=np.float64).sum(axis=1)
        quiet = 10 ** (SILENT_DB / 10) * np.square(mixture, dtype=np.float64).sum()
        columns = [
            known @ self._embed(stream) + agreement[:, number] + energies[number] / energies.sum()
            if energies[number] > quiet
            else np.full(len(known), SILENT)
            for number, stream in enumerate(streams)
        ]
        return np.stack(columns, axis=1)

    def _embed(self, signal: Signal) -> npt.NDArray[np.float64]:
        """One unit vector for the loud parts of `signal`, shape (samples,), at whatever level."""
        levels = frame_levels(signal)
        frames = len(signal) // HOP
        starts = np.arange(0, max(1, frames - LENGTH + 1), STEP)
        loud = np.lib.stride_tricks.sliding_window_view(levels[:frames] > levels.max() - LOUD_DB, LENGTH)[::STEP]
        share = loud.mean(axis=1)
        chosen = starts[share >= min(0.5, share.max())]
        mels = mel_power(signal, gain_curve(levels), 0, frames)
        mean = encode(mels, chosen, LENGTH, self._encoder, bf16=False).astype(np.float64).mean(axis=0)
        unit: npt.NDArray[np.float64] = mean / (np.linalg.norm(mean) + 1e-12)
        return unit


def _solo(pcm: Samples, overlaps: Overlaps, speaker: int) -> Signal:
    """Up to `MOST_SOLO` samples of the speaker alone, the longest stretches first."""
    spans = overlaps.solo[speaker]
    longest = spans[np.argsort(spans[:, 0] - spans[:, 1], kind="stable")].tolist()
    taken: list[Signal] = []
    left = MOST_SOLO
    for start, stop in longest:
        taken.append(np.array(pcm[start : min(stop, start + left)]))
        left -= len(taken[-1])
        if not left:
            break
    return np.concatenate([np.zeros(0, dtype=np.float32), *taken])


def scaled(streams: Signal, mixture: Signal) -> Signal:
    """`streams`, shape (streams, samples), at the level at which their sum comes closest to `mixture`: the network is
    trained on sums of its streams, by a measure that does not depend on scale, so it is their proportions that count.
    """
    whole = streams.sum(axis=0, dtype=np.float64)
    level = max(0.0, float(whole @ mixture)) / (float(whole @ whole) + 1e-12)
    return streams * np.float32(level)


def agreements(streams: Signal, activity: Activity) -> npt.NDArray[np.float64]:
    """Correlation of each stream's share of the whole with each speaker's activity (speakers, frames of `FRAME`), loud
    frames counting more, shape (speakers, streams); 0 where one of the two never changes.
    """
    frames = streams[:, : activity.shape[1] * FRAME].reshape(len(streams), -1, FRAME)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=2)) + 1e-9
    weights = levels.sum(axis=0) / levels.sum()

    changes = _standard(activity.astype(np.float64), weights) * weights
    found: npt.NDArray[np.float64] = changes @ _standard(levels / levels.sum(axis=0), weights).T
    return found


def _standard(rows: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each row at mean 0 and deviation 1, or 0 throughout where it does not change."""
    rows = rows - (rows @ weights)[:, None]
    deviation = np.sqrt(np.square(rows) @ weights)[:, None]
    return np.divide(rows, deviation, out=np.zeros_like(rows), where=deviation > 1e-6)


def continuity(streams: Signal, before: Mapping[int, Signal], speakers: Sequence[int], step: int) -> Suiting:
    """Correlation of each of the streams with each of the speakers' stream of the window `step` samples `before`, where
    both windows hear the same, shape (speakers, streams); 0 for a speaker who has none.
    """
    found = np.zeros((len(speakers), len(streams)))
    heads = streams[:, : max(0, streams.shape[1] - step)]
    for row, speaker in enumerate(speakers):
        if speaker in before:
            tail = before[speaker][step:]
            found[row] = heads @ tail / (np.linalg.norm(heads, axis=1) * np.linalg.norm(tail) + 1e-9)
    return found


def assign(suiting: Suiting, wanted: int) -> tuple[int, ...] | None:
    """The stream of each of the first `wanted` speakers, so that those of all suit best in sum; None where one of these
    does not suit, where another choice is about as good, or where there are too few streams.
    """
    speakers, streams = suiting.shape
    rows = np.arange(speakers)
    options = [(float(suiting[rows, list(option)].sum()), option) for option in permutations(range(streams), speakers)]
    if not options:
        return None
    best, chosen = max(options)
    others = [total for total, option in options if option[:wanted] != chosen[:wanted]]
    if best - max(others, default=-np.inf) < LEAST_LEAD:
        return None
    if (suiting[rows[:wanted], list(chosen[:wanted])] < LEAST).any():
        return None
    return chosen[:wanted]
