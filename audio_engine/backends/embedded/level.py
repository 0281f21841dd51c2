"""Slow, gated level normalisation: brings quiet and loud stretches of speech to the level the networks were trained at.

A recording-wide gain does most; the local part follows changes that last longer than a phrase (another microphone, a
speaker far from it) and stays out of pauses: stretches much quieter than the recording's speech keep the gain of their
surroundings, so that room noise is never raised to the level of speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...memory import Samples
from .blocks import BLOCK_SECONDS, SAMPLE_RATE, block_ranges, read_samples

FRAME = 160  # samples: 10 ms
TARGET_DB = -14.0  # level of the loud tenth of a voice, dBFS; silero misses quiet speech well below this
SPEECH_PERCENTILE = 95
WINDOW_FRAMES = 1500  # 15 s: longer than a phrase
STEP_FRAMES = 500
GATE_DB = 18.0  # below the recording's speech level a stretch holds no speech to measure
MAXIMUM_GAIN_DB = 60.0
FLOOR_DB = -100.0

Levels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GainCurve:
    """Gain in dB at nodes `STEP_FRAMES` frames apart, linear between them."""

    nodes: npt.NDArray[np.float64]

    def apply(self, samples: Samples, start: int) -> Samples:
        """`samples`, the first of which is the recording's sample number `start`, with the gain, within full scale."""
        positions = (np.arange(start, start + len(samples), FRAME) + FRAME / 2) / (FRAME * STEP_FRAMES)
        decibels = np.interp(positions, np.arange(len(self.nodes)), self.nodes)
        factors = np.repeat(10 ** (decibels / 20), FRAME)[: len(samples)].astype(np.float32)
        return np.clip(samples * factors, -1.0, 1.0)


def frame_levels(pcm: Samples) -> Levels:
    """Level of every 10 ms frame in dBFS, shape (frames,), the last one padded with zeros."""
    size = BLOCK_SECONDS * SAMPLE_RATE
    levels = [_levels(read_samples(pcm, start, stop)) for start, stop in block_ranges(len(pcm), size)]
    return np.concatenate(levels) if levels else np.zeros(0, dtype=np.float32)


def _levels(samples: Samples) -> Levels:
    frames = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    power = np.einsum("ij,ij->i", frames, frames) / FRAME
    return (10 * np.log10(power + 10 ** (FLOOR_DB / 10))).astype(np.float32)


def gain_curve(levels: Levels) -> GainCurve:
    audible = levels[levels > FLOOR_DB + 5]
    if not len(audible):
        return GainCurve(np.zeros(1))
    overall = float(np.percentile(audible, SPEECH_PERCENTILE))
    centres = np.arange(0, len(levels) + STEP_FRAMES, STEP_FRAMES)
    local = np.array([_local_level(levels, int(centre)) for centre in centres])
    measured = local > overall - GATE_DB
    local = np.interp(centres, centres[measured], local[measured]) if measured.any() else np.full(len(local), overall)
    smooth = np.convolve(np.pad(local, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return GainCurve(np.clip(TARGET_DB - smooth, -MAXIMUM_GAIN_DB, MAXIMUM_GAIN_DB))


def _local_level(levels: Levels, centre: int) -> float:
    window = levels[max(centre - WINDOW_FRAMES // 2, 0) : centre + WINDOW_FRAMES // 2]
    return float(np.percentile(window, SPEECH_PERCENTILE)) if len(window) else FLOOR_DB
