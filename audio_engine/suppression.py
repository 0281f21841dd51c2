"""Taking noise out of a stream of samples: each bin of its short-time spectra is lowered by what of it is noise.

The gains are those of Ephraim & Malah, "Speech Enhancement Using a Minimum Mean-Square Error Log-Spectral Amplitude
Estimator" (IEEE TASSP 1985), the same for all channels, so that nothing moves between them.
"""

from __future__ import annotations

import numpy as np

from .background import LARGEST_RATIO, LEAST_SNR, SMOOTHING, amplitude_gain
from .noise import NoiseTracker, Power
from .spectra import Grid, Signal, Spectra

HOP_SECONDS = 0.008  # a quarter of a frame
FLOOR = 0.1  # what is taken away keeps so much, or what is left would gurgle


class Suppressor:
    """Takes samples in pieces of any length and gives as many back, later; each output sample is where its input was.

    `strength` from 0 to 1 scales the gains in dB.
    """

    def __init__(self, rate: int, channels: int, noise: NoiseTracker, strength: float) -> None:
        self._grid = Grid(rate, HOP_SECONDS)
        self._noise, self._strength = noise, strength
        self._lead = self._grid.size - self._grid.hop  # zeros before and after, so that frames cover every sample
        self._samples = np.zeros((channels, self._lead), np.float32)  # not yet in frames
        self._spectra: Spectra = np.zeros((channels, 0, self._grid.bins), np.complex64)  # whose noise is unknown yet
        self._power: Power = np.zeros((0, self._grid.bins))
        self._tail = np.zeros((channels, self._lead), np.float32)  # to which the next frames add
        self._before = np.zeros(self._grid.bins)  # power of the speech in the frame before
        self._skip = self._lead
        self._owed = 0

    def feed(self, signal: Signal) -> Signal:
        """Take samples, shape (samples, channels), and give those that are done, if any."""
        self._owed += len(signal)
        self._samples = np.concatenate([self._samples, signal.T], axis=1)
        return self._given(self._analysed(), last=False)

    def finish(self) -> Signal:
        """The rest."""
        end = np.zeros((len(self._samples), self._lead + self._grid.hop), np.float32)
        self._samples = np.concatenate([self._samples, end], axis=1)
        return self._given(self._analysed(), last=True)

    def _analysed(self) -> Power:
        """The power of the frames that have become whole, mean over the channels."""
        count = max(0, (self._samples.shape[1] - self._lead) // self._grid.hop)
        if not count:
            return self._power[:0]
        covered = count * self._grid.hop
        spectra = self._grid.analyse(self._samples[:, : covered + self._lead])
        self._samples = self._samples[:, covered:]
        self._spectra = np.concatenate([self._spectra, spectra], axis=1)
        power: Power = np.mean(np.square(np.abs(spectra, dtype=np.float64)), axis=0)
        self._power = np.concatenate([self._power, power])
        return power

    def _given(self, power: Power, *, last: bool) -> Signal:
        noise = self._noise.push(power, last=last)
        known = len(noise)
        gains = self._gains(self._power[:known], noise)
        signal = self._grid.synthesise(self._spectra[:, :known] * gains)
        self._power, self._spectra = self._power[known:], self._spectra[:, known:]
        if not known:
            return np.zeros((0, len(self._samples)), np.float32)
        signal[:, : self._lead] += self._tail
        done, self._tail = signal[:, : -self._lead], signal[:, -self._lead :]
        given = done[:, self._skip :].T
        self._skip -= min(self._skip, done.shape[1])
        given = given[: self._owed]
        self._owed -= len(given)
        return given

    def _gains(self, power: Power, noise: Power) -> Signal:
        """Shape (frames, bins)."""
        gains = np.empty(power.shape, np.float32)
        ratios = np.minimum(power / noise, LARGEST_RATIO)
        for frame, ratio in enumerate(ratios):
            prior = SMOOTHING * self._before / noise[frame] + (1 - SMOOTHING) * np.maximum(ratio - 1, 0)
            gain = amplitude_gain(np.maximum(prior, LEAST_SNR), ratio, FLOOR)
            self._before = np.square(gain) * power[frame]
            gains[frame] = gain**self._strength
        return gains
