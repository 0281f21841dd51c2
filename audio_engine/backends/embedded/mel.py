"""Mel spectra of the level-normalised recording, as the speaker encoder was trained on."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ...memory import Samples
from .blocks import SAMPLE_RATE, read_samples
from .level import GainCurve

FFT = 400
HOP = 160
MELS = 40
FLOOR = np.float32(1e-6)
ENCODER_LEVEL_DB = 3.0  # relative to `level.TARGET_DB`: the encoder tells voices apart best when they are loud

Mels = npt.NDArray[np.float32]


def mel_power(pcm: Samples, gain: GainCurve, start: int, stop: int) -> Mels:
    """Mel power spectra of the 10 ms frames start to stop, shape (frames, 40): as librosa's `melspectrogram`
    (Slaney's scale and norm, periodic Hann, centred) of the level-normalised recording at the encoder's level."""
    import torch

    first, count = start * HOP - FFT // 2, stop - start
    samples = gain.apply(read_samples(pcm, first, first + (count - 1) * HOP + FFT), first)
    frames = torch.from_numpy(samples * np.float32(10 ** (ENCODER_LEVEL_DB / 20))).unfold(0, FFT, HOP)
    spectrum = torch.fft.rfft(frames * torch.hann_window(FFT))
    return ((spectrum.real.square() + spectrum.imag.square()) @ torch.from_numpy(mel_filters())).numpy()


def log_mel(pcm: Samples, gain: GainCurve, start: int, stop: int) -> Mels:
    return np.log(mel_power(pcm, gain, start, stop) + FLOOR)


@cache
def mel_filters() -> npt.NDArray[np.float32]:
    """Triangular filters on Slaney's mel scale, each of unit area, shape (201, 40)."""
    mel_points = np.linspace(0.0, _to_mel(SAMPLE_RATE / 2), MELS + 2)
    edges = np.where(mel_points < 15, mel_points * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel_points - 15)))
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


def _to_mel(hertz: float) -> float:
    return 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))
