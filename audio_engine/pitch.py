"""The fundamental frequency of speech.

YIN, steps 1 to 5: the difference function over a window of fixed length, normalised by its cumulative mean, the first
dip that is deep enough, and a parabola through its bottom (de Cheveigné & Kawahara, "YIN, a fundamental frequency
estimator for speech and music", JASA 111, 2002). The frames of a batch are worked out together, by FFT. Before that,
mains hum and what lies above the lowest harmonics are filtered out: neither tells the pitch of a voice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, rfft

from .downmix import RATE

LOWEST, HIGHEST = 55.0, 550.0  # Hz: from a creaking bass to a child who calls out
HOP = 160  # samples between frames, 10 ms
WINDOW = 480  # samples that are compared with later ones, 30 ms
LONGEST, SHORTEST = round(RATE / LOWEST), int(RATE / HIGHEST)  # lags, in samples
REACH = WINDOW + LONGEST  # samples that a frame covers
SIZE = 1024  # of the FFT, no less than REACH
APERIODICITY = 0.15  # at the dip, power that does not repeat over all power; above it a frame has no pitch
QUIET_DB = 30.0  # below the loudest frame; what is quieter is no voice
BATCH = 512  # frames
BAND = (80, 1000)  # Hz: what is looked at, by filters of third and second order

Samples = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


def pitch(samples: Samples) -> Numbers:
    """Fundamental frequency in Hz of each frame, 0 where there is none, shape (frames,).

    `samples`, shape (samples,), 16 kHz mono; there is a frame each 10 ms, as many as lie whole in them.
    """
    if len(samples) < REACH:
        return np.zeros(0)
    frames = sliding_window_view(_in_band(samples), REACH)[::HOP]
    found = [_of_frames(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)]
    frequencies, levels = (np.concatenate(part) for part in zip(*found, strict=True))
    frequencies[levels <= max(levels.max() - QUIET_DB, -120)] = 0
    return frequencies


def _in_band(samples: Samples) -> Samples:
    from scipy.signal import butter, sosfilt  # which takes a second and 50 MB, for what is seldom asked for

    sections = [butter(3, BAND[0], "highpass", fs=RATE, output="sos"), butter(2, BAND[1], fs=RATE, output="sos")]
    return np.asarray(sosfilt(np.concatenate(sections), samples), dtype=np.float32)


def _of_frames(frames: Samples) -> tuple[Numbers, Numbers]:
    """Frequencies in Hz and levels in dB of frames, shape (frames, REACH)."""
    difference, power = _difference(frames.astype(np.float64))
    lags, depths = _first_deep_dip(_by_cumulative_mean(difference))
    return np.where(depths < APERIODICITY, RATE / lags, 0), 10 * np.log10(power + 1e-20)


def _difference(frames: Numbers) -> tuple[Numbers, Numbers]:
    """Steps 1 and 2: the energy of what a frame's first WINDOW samples differ by from those that come a lag later, for
    each lag from 0 to LONGEST, and those samples' own mean power."""
    energies = np.pad(np.cumsum(np.square(frames), axis=1), ((0, 0), (1, 0)))
    later = energies[:, WINDOW:] - energies[:, :-WINDOW]
    products = irfft(rfft(frames, SIZE) * rfft(frames[:, :WINDOW], SIZE).conj(), SIZE)[:, : LONGEST + 1]
    return np.maximum(later[:, :1] + later - 2 * products, 0), later[:, 0] / WINDOW


def _by_cumulative_mean(difference: Numbers) -> Numbers:
    """Step 3: one at lag 0, from there on each value over the mean of those so far."""
    means = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, difference.shape[1])
    return np.pad(difference[:, 1:] / np.maximum(means, 1e-20), ((0, 0), (1, 0)), constant_values=1.0)


def _first_deep_dip(normalised: Numbers) -> tuple[Numbers, Numbers]:
    """Steps 4 and 5: the lag, between samples, of each frame's first dip below the threshold, else of its deepest, and
    the value there, infinite where there is no dip."""
    inner = normalised[:, SHORTEST:LONGEST]
    dips = (inner <= normalised[:, SHORTEST - 1 : LONGEST - 1]) & (inner < normalised[:, SHORTEST + 1 : LONGEST + 1])
    depths = np.where(dips, inner, np.inf)
    deep = depths < APERIODICITY
    chosen = np.where(deep.any(axis=1), deep.argmax(axis=1), depths.argmin(axis=1))
    rows = np.arange(len(normalised))
    left, middle, right = (normalised[rows, SHORTEST + chosen + step] for step in (-1, 0, 1))
    shift = (left - right) / np.maximum(2 * (left - 2 * middle + right), 1e-20)
    return SHORTEST + chosen + shift.clip(-0.5, 0.5), depths[rows, chosen]
