"""Speakers and recordings in figures, gathered in one pass over the samples."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from .loudness import HOPS_A_SECOND, LoudnessMeter
from .talk import talk
from .tracks import Spans
from .types import MediaInfo, SpeakerStats, Turn

PEAKS = 2_000
LOWEST_DB, HIGHEST_DB, BINS_A_DB = -120, 60, 2
NOISE_SECONDS = 0.5  # so much of the recording must be without speech to take its noise from there
QUIETEST_SHARE = 0.05  # else noise is what the quietest twentieth of the speaker's own stretches holds

Signal = npt.NDArray[np.float32]


@cache
def hop_edges(frames: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, frames, HOPS_A_SECOND + 1).astype(np.int64)


def hop_energies(signal: Signal) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The sum of squares of each tenth of `signal`, shape (frames, channels), and how many samples that is."""
    samples = np.ascontiguousarray(signal).reshape(-1)
    edges = hop_edges(len(signal)) * signal.shape[1]
    hops = [samples[start:end] for start, end in itertools.pairwise(edges.tolist())]
    return np.array([float(np.dot(hop, hop)) for hop in hops]), np.diff(edges)


class PowerHistogram:
    """How often which power occurred, in half decibels: percentiles without keeping the values."""

    def __init__(self) -> None:
        self._counts = np.zeros((HIGHEST_DB - LOWEST_DB) * BINS_A_DB + 1, dtype=np.int64)

    @property
    def total(self) -> int:
        return int(self._counts.sum())

    def add(self, powers: npt.NDArray[np.float64]) -> None:
        db = 10 * np.log10(np.maximum(powers, 10 ** (LOWEST_DB / 10)))
        bins = ((db - LOWEST_DB) * BINS_A_DB).astype(np.int64).clip(0, len(self._counts) - 1)
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def quantile(self, share: float) -> float | None:
        """The power that `share` of the values stay under; None where there are none or that is digital silence."""
        if not self.total:
            return None
        index = int(np.searchsorted(np.cumsum(self._counts), share * self.total))
        return float(10 ** ((LOWEST_DB + (index + 0.5) / BINS_A_DB) / 10)) if index else None


class SpeakerMeter:
    """Levels of one speaker's track. Takes what the gate let through, second by second."""

    def __init__(self, media: MediaInfo, spans: Spans) -> None:
        self._samples = int((spans[:, 1] - spans[:, 0]).sum()) * media.channels
        self._loudness = LoudnessMeter(media.sample_rate, media.layout, media.channels)
        self._energy = 0.0
        self._peak = 0.0
        self._powers = PowerHistogram()

    def feed(self, signal: Signal, second: int) -> None:
        energies, samples = hop_energies(signal)
        self._energy += float(energies.sum())
        self._peak = max(self._peak, float(signal.max()), -float(signal.min()))
        self._loudness.feed(signal, second)
        self._powers.add(energies[energies > 0] / samples[energies > 0])

    def rms_db(self) -> float | None:
        """dBFS, where a full-scale square wave is 0."""
        return 10 * float(np.log10(self._power())) if self._energy else None

    def peak(self) -> float | None:
        return self._peak if self._samples else None

    def loudness(self, seconds: float) -> float | None:
        return self._loudness.integrated(seconds)

    def snr_db(self, noise: PowerHistogram) -> float | None:
        """Speech power without the noise's share over noise power. The noise is the median tenth of a second in which
        nobody speaks.
        """
        if noise.total >= NOISE_SECONDS * HOPS_A_SECOND:
            floor = noise.quantile(0.5)
        else:
            floor = self._powers.quantile(QUIETEST_SHARE)
        if floor is None or not self._energy:
            return None
        return 10 * float(np.log10(max(self._power() / floor - 1, 0.01)))

    def _power(self) -> float:
        return self._energy / self._samples


class RecordingMeter:
    """The waveform for a timeline and the noise between all speech."""

    def __init__(self, frames: int, speech: Spans) -> None:
        self.noise = PowerHistogram()
        self._speech = speech
        self._starts = np.append(speech[:, 0], np.iinfo(np.int64).max)
        self._bin_frames = max(1, -(-frames // PEAKS))
        self._peaks = np.zeros(-(-frames // self._bin_frames), dtype=np.float32)

    def feed(self, signal: Signal, start: int) -> None:
        """Take a second of the source, shape (frames, channels), whose first frame is the recording's `start`."""
        self._add_peaks(signal, start)
        edges = start + hop_edges(len(signal))
        following = np.searchsorted(self._speech[:, 1], edges[:-1], side="right")
        quiet = (self._starts[following] >= edges[1:]) & (np.diff(edges) > 0)
        if quiet.any():
            energies, samples = hop_energies(signal)
            self.noise.add(energies[quiet] / samples[quiet])

    def peaks(self) -> tuple[float, ...]:
        """Up to 2,000 maxima of |x|, evenly spaced."""
        return tuple(round(float(peak), 4) for peak in self._peaks)

    def _add_peaks(self, signal: Signal, start: int) -> None:
        first, last = start // self._bin_frames, (start + len(signal) - 1) // self._bin_frames
        starts = np.maximum(np.arange(first, last + 1) * self._bin_frames - start, 0)
        magnitudes = np.abs(signal).reshape(-1)
        found = np.maximum.reduceat(magnitudes, starts * signal.shape[1])
        np.maximum(self._peaks[first : last + 1], found, out=self._peaks[first : last + 1])


def speaker_stats(
    turns: Sequence[Turn], meters: Sequence[SpeakerMeter], noise: PowerHistogram, seconds: float
) -> tuple[SpeakerStats, ...]:
    """Figures of each speaker, in their order. `meters` have been fed the whole recording of `seconds` seconds."""
    spoken = talk(turns, range(len(meters)))
    return tuple(
        SpeakerStats(
            speaker=speaker,
            talk_seconds=spoken[speaker].seconds,
            talk_share=spoken[speaker].share,
            turns=spoken[speaker].turns,
            mean_turn_seconds=spoken[speaker].mean_turn_seconds,
            overlap_seconds=spoken[speaker].overlap_seconds,
            rms_db=_rounded(meter.rms_db(), 2),
            peak=_rounded(meter.peak(), 5),
            loudness_lufs=_rounded(meter.loudness(seconds), 2),
            snr_db=_rounded(meter.snr_db(noise), 1),
        )
        for speaker, meter in enumerate(meters)
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
