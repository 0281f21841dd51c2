"""How strong the noise is under what is said, frame by frame and bin by bin, from nothing but the noisy spectra.

`FollowingNoise` goes along with the recording and knows only what was; `SurroundingNoise` also looks ahead, and neither
lags behind noise that rises nor takes the end of a long vowel for noise; `AgreedNoise` is between the two.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from .sound import Quality

Power = npt.NDArray[np.float64]
"""Shape (frames, bins)."""

TINY = 1e-14  # of power: digital silence has a logarithm too

# Gerkmann & Hendriks: smoothing over 16 ms steps, and the SNR in dB that speech is expected to have where it is.
NOISE_SMOOTHING, PRESENCE_SMOOTHING = 0.8, 0.9
STEP_SECONDS = 0.016
EXPECTED_SNR = 10**1.5
SURE = 0.99  # a presence that stays above it is capped, so that noise which grew is heard as noise again

SMOOTHING_SECONDS = 0.1
SPAN_SECONDS = 1.5  # within which every bin is without speech once
BIAS = 1.6  # of a mean over a minimum, at this smoothing


class NoiseTracker(Protocol):
    def push(self, power: Power, *, last: bool = False) -> Power:
        """Take the next frames; returns the noise of the earliest ones that it was not told of yet, as far as it knows
        them already: all of them after the last.
        """
        ...


class FollowingNoise:
    """Gerkmann & Hendriks, "Unbiased MMSE-Based Noise Power Estimation With Low Complexity and Low Tracking Delay"
    (IEEE TASLP 2012), begun with the median of the first frames.
    """

    def __init__(self, hop_seconds: float) -> None:
        self._smoothing = NOISE_SMOOTHING ** (hop_seconds / STEP_SECONDS)
        self._presence_smoothing = PRESENCE_SMOOTHING ** (hop_seconds / STEP_SECONDS)
        self._noise: npt.NDArray[np.float64] | None = None
        self._presence: npt.NDArray[np.float64] | float = 0.5

    def push(self, power: Power, *, last: bool = False) -> Power:  # noqa: ARG002 - it never waits
        if not len(power):
            return power
        if self._noise is None:
            self._noise = np.median(power, axis=0) + TINY
        told = np.empty_like(power)
        for frame, heard in enumerate(power):
            told[frame] = self._noise = self._follow(heard, self._noise)
        return told

    def _follow(self, heard: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        exponent = np.minimum(heard / noise * (EXPECTED_SNR / (1 + EXPECTED_SNR)), 200)
        presence = 1 / (1 + (1 + EXPECTED_SNR) * np.exp(-exponent))
        kept = self._presence_smoothing
        self._presence = kept * self._presence + (1 - kept) * presence
        presence = np.where(self._presence > SURE, np.minimum(presence, SURE), presence)
        expected = presence * noise + (1 - presence) * heard
        followed: npt.NDArray[np.float64] = self._smoothing * noise + (1 - self._smoothing) * expected + TINY
        return followed


class SurroundingNoise:
    """Minima of the smoothed power on either side, after Martin, "Noise Power Spectral Density Estimation Based on
    Optimal Smoothing and Minimum Statistics" (IEEE TSAP 2001), with a fixed smoothing and bias.
    """

    def __init__(self, hop_seconds: float) -> None:
        self._widths = [
            max(3, round(seconds / hop_seconds)) for seconds in (SMOOTHING_SECONDS, SPAN_SECONDS, SPAN_SECONDS / 3)
        ]
        self._reach = sum(width // 2 + 1 for width in self._widths)
        self._heard: Power | None = None
        self._told = 0  # of the frames held

    def push(self, power: Power, *, last: bool = False) -> Power:
        held = power if self._heard is None else np.concatenate([self._heard, power])
        end = len(held) if last else max(self._told, len(held) - self._reach)
        noise = self._noise(held)[self._told : end] if end > self._told else held[:0]
        kept = max(0, end - self._reach)
        self._heard, self._told = held[kept:], end - kept
        return noise

    def _noise(self, power: Power) -> Power:
        smoothing, span, levelling = self._widths
        least = minimum_filter1d(uniform_filter1d(power, smoothing, axis=0), span, axis=0)
        noise: Power = np.maximum(BIAS * uniform_filter1d(least, levelling, axis=0), 0) + TINY
        return noise


class AgreedNoise:
    """The geometric mean of both, whose errors have little in common."""

    def __init__(self, hop_seconds: float) -> None:
        self._following, self._surrounding = FollowingNoise(hop_seconds), SurroundingNoise(hop_seconds)
        self._ahead: Power | None = None

    def push(self, power: Power, *, last: bool = False) -> Power:
        following = self._following.push(power)
        ahead = following if self._ahead is None else np.concatenate([self._ahead, following])
        surrounding = self._surrounding.push(power, last=last)
        known = len(surrounding)
        self._ahead = ahead[known:]
        agreed: Power = np.sqrt(ahead[:known] * surrounding)
        return agreed


def tracker(quality: Quality, hop_seconds: float) -> NoiseTracker:
    """`balanced` goes by the noise so far, the other qualities also by the noise to come."""
    return FollowingNoise(hop_seconds) if quality == "balanced" else AgreedNoise(hop_seconds)
