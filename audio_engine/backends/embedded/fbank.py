"""Log mel energies as Kaldi's `compute-fbank-feats` makes them, without dither: what CAM++ was trained on.

Source: Povey et al., "The Kaldi Speech Recognition Toolkit" (ASRU 2011), whose window, pre-emphasis and mel scale these
are.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ...memory import Samples
from .blocks import SAMPLE_RATE, block_ranges, read_samples
from .level import GainCurve

FRAME = 400  # samples: 25 ms
HOP = 160
FFT = 512
MELS = 80
LOWEST = 20.0  # Hz
PRE_EMPHASIS = 0.97
WINDOW_POWER = 0.85  # of a Hann window
FLOOR = np.float32(np.finfo(np.float32).eps)
AT_ONCE = 1_000  # frames: what is worked out on the way to them takes 15 KB for each

LogMels = npt.NDArray[np.float32]


def log_mels(pcm: Samples, gain: GainCurve, start: int, stop: int) -> LogMels:
    """Of the 10 ms frames start to stop of the level-normalised recording, each centred on its number times 10 ms,
    shape (stop - start, 80)."""
    pieces = [_piece(pcm, gain, start + low, start + high) for low, high in block_ranges(stop - start, AT_ONCE)]
    return np.concatenate(pieces) if pieces else np.zeros((0, MELS), dtype=np.float32)


def _piece(pcm: Samples, gain: GainCurve, start: int, stop: int) -> LogMels:
    import torch

    first = start * HOP - FRAME // 2
    samples = gain.apply(read_samples(pcm, first, first + (stop - start - 1) * HOP + FRAME), first)
    frames = torch.from_numpy(samples).unfold(0, FRAME, HOP)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat((frames[:, :1], frames[:, :-1]), dim=1)
    window = torch.hann_window(FRAME, periodic=False) ** WINDOW_POWER
    spectrum = torch.fft.rfft((frames - PRE_EMPHASIS * before) * window, FFT)
    power = spectrum.real.square() + spectrum.imag.square()
    mels: LogMels = (power @ torch.from_numpy(mel_filters())).clamp_min(FLOOR).log().numpy()
    return mels


@cache
def mel_filters() -> npt.NDArray[np.float32]:
    """Triangles of height 1, evenly spaced and straight on the mel scale, shape (257, 80)."""
    edges = np.linspace(_to_mel(LOWEST), _to_mel(SAMPLE_RATE / 2), MELS + 2)
    bins = _to_mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.maximum(triangles, 0).astype(np.float32)


def _to_mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700))
