"""Taking noise out of a stream of samples: each bin of its short-time spectra is lowered by what of it is noise.

The gains are those of Ephraim & Malah, "Speech Enhancement Using a Minimum Mean-Square Error Log-Spectral Amplitude
Estimator" (IEEE TASSP 1985), the same for all channels, so that nothing moves between them.
Where something else tells what of each bin is speech, they are the geometric mean of both, which errs less than either.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .background import LARGEST_RATIO, LEAST_SNR, SMOOTHING, amplitude_gain
from .noise import TINY, NoiseTracker, Power
from .spectra import Grid, Signal, Spectra

HOP_SECONDS = 0.008  # a quarter of a frame
FLOOR = 0.1  # what is taken away keeps so much, or what is left would gurgle


class SpeechEstimate(Protocol):
    """Something that hears speech in noise."""

    highest: float  # Hz, up to which it hears
    floor: float  # the least part of an amplitude that it is believed to be

    def push(self, signal: Signal, *, last: bool = False) -> Signal:
        """Take samples, shape (samples, channels), and give the speech in them, as many in all, later: all that is
        owed after the last.
        """
        ...


class Suppressor:
    """Takes samples in pieces of any length and gives as many back, later; each output sample is where its input was.

    `strength` from 0 to 1 scales the gains in dB.
    """

    def __init__(
        self, rate: int, channels: int, noise: NoiseTracker, strength: float, speech: SpeechEstimate | None = None
    ) -> None:
        self._grid = Grid(rate, HOP_SECONDS)
        self._noise, self._strength, self._estimate = noise, strength, speech
        self._frames, self._speech_frames = _Frames(self._grid, channels), _Frames(self._grid, channels)
        self._spectra: Spectra = np.zeros((channels, 0, self._grid.bins), np.complex64)  # not yet given back
        # Of these frames, as far as it is known:
        self._power: Power = np.zeros((0, self._grid.bins))
        self._noise_power = self._speech_power = self._power
        self._skip = self._grid.size - self._grid.hop
        self._tail = np.zeros((channels, self._skip), np.float32)  # to which the next frames add
        self._before = np.zeros(self._grid.bins)  # power of the speech in the frame before
        self._owed = 0

    def feed(self, signal: Signal) -> Signal:
        """Take samples, shape (samples, channels), and give those that are done, if any."""
        self._owed += len(signal)
        return self._given(self._hear(signal, last=False))

    def finish(self) -> Signal:
        """The rest."""
        return self._given(self._hear(np.zeros((0, len(self._tail)), np.float32), last=True))

    def _hear(self, signal: Signal, *, last: bool) -> Signal:
        """The gains of the next frames of which all is known, shape (frames, bins)."""
        spectra = self._frames.push(signal, last=last)
        power = _power(spectra)
        self._spectra = np.concatenate([self._spectra, spectra], axis=1)
        self._power = np.concatenate([self._power, power])
        self._noise_power = np.concatenate([self._noise_power, self._noise.push(power, last=last)])
        if self._estimate is None:
            return self._gains(len(self._noise_power))
        speech = _power(self._speech_frames.push(self._estimate.push(signal, last=last), last=last))
        self._speech_power = np.concatenate([self._speech_power, speech])
        known = min(len(self._noise_power), len(self._speech_power))
        shares = _shares(self._power[:known], self._speech_power[:known], self._grid, self._estimate)
        self._speech_power = self._speech_power[known:]
        gains: Signal = np.sqrt(self._gains(known) * shares)
        return gains

    def _gains(self, known: int) -> Signal:
        """By the noise alone."""
        power, noise = self._power[:known], self._noise_power[:known]
        self._power, self._noise_power = self._power[known:], self._noise_power[known:]
        gains = np.empty(power.shape, np.float32)
        ratios = np.minimum(power / noise, LARGEST_RATIO)
        for frame, ratio in enumerate(ratios):
            prior = SMOOTHING * self._before / noise[frame] + (1 - SMOOTHING) * np.maximum(ratio - 1, 0)
            gains[frame] = gain = amplitude_gain(np.maximum(prior, LEAST_SNR), ratio, FLOOR)
            self._before = np.square(gain) * power[frame]
        return gains

    def _given(self, gains: Signal) -> Signal:
        known = len(gains)
        if not known:
            return np.zeros((0, len(self._tail)), np.float32)
        signal = self._grid.synthesise(self._spectra[:, :known] * gains**self._strength)
        self._spectra = self._spectra[:, known:]
        lead = self._tail.shape[1]
        signal[:, :lead] += self._tail
        done, self._tail = signal[:, :-lead], signal[:, -lead:]
        given = done[:, self._skip :].T
        self._skip -= min(self._skip, done.shape[1])
        given = given[: self._owed]
        self._owed -= len(given)
        return given


class _Frames:
    """The spectra of a stream of samples, each once all of its samples have come. Zeros lie before and after it, so
    that frames cover every sample.
    """

    def __init__(self, grid: Grid, channels: int) -> None:
        self._grid, self._lead = grid, grid.size - grid.hop
        self._samples = np.zeros((channels, self._lead), np.float32)

    def push(self, signal: Signal, *, last: bool) -> Spectra:
        """Shape (channels, frames, bins), of samples of shape (samples, channels)."""
        end = np.zeros((len(self._samples), self._lead + self._grid.hop if last else 0), np.float32)
        self._samples = np.concatenate([self._samples, signal.T, end], axis=1)
        count = max(0, (self._samples.shape[1] - self._lead) // self._grid.hop)
        if not count:
            return np.zeros((len(self._samples), 0, self._grid.bins), np.complex64)
        covered = count * self._grid.hop
        spectra = self._grid.analyse(self._samples[:, : covered + self._lead])
        self._samples = self._samples[:, covered:]
        return spectra


def _power(spectra: Spectra) -> Power:
    """Mean over the channels."""
    power: Power = np.mean(np.square(np.abs(spectra, dtype=np.float64)), axis=0)
    return power


def _shares(power: Power, speech: Power, grid: Grid, estimate: SpeechEstimate) -> Signal:
    """What part of the amplitude of each bin is speech. What lies beyond all that is heard is treated like the mean of
    the octave below.
    """
    shares = np.clip(np.sqrt(speech / (power + TINY)), estimate.floor, 1).astype(np.float32)
    heard = int(estimate.highest * grid.size / grid.rate) + 1
    shares[:, heard:] = shares[:, heard // 2 : heard].mean(axis=1, keepdims=True)
    return shares
