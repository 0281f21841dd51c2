"""Voices that nobody owns: harmonics of a wandering pitch under moving formants, syllable by syllable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE = 16_000
SYLLABLE_SECONDS = 0.2

Signal = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Speaker:
    pitch: float  # Hz
    tract: float  # factor on the formants
    seed: int

    def says(self, seconds: float, take: int = 0) -> Signal:
        """So many seconds of babble, never the same for two takes: shape (samples,), RMS about -20 dB."""
        generator = np.random.default_rng((self.seed, take))
        syllables = [self._syllable(generator) for _ in range(round(seconds / SYLLABLE_SECONDS))]
        speech = np.concatenate(syllables)
        return (speech * (0.1 / np.sqrt(np.mean(speech**2)))).astype(np.float32)

    def _syllable(self, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        time = np.arange(round(SYLLABLE_SECONDS * RATE)) / RATE
        pitch = self.pitch * (generator.uniform(0.85, 1.2) + generator.uniform(-0.1, 0.1) * time / SYLLABLE_SECONDS)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        centres = self.tract * np.array([generator.uniform(300, 800), generator.uniform(900, 2200), 2800.0])
        result = np.zeros(len(time))
        for harmonic in range(1, int(6000 / self.pitch)):
            frequency = harmonic * self.pitch
            level = sum(1 / (1 + ((frequency - centre) / 120) ** 2) for centre in centres) + 0.003
            result += level * np.sin(harmonic * phase)
        return result * np.hanning(len(time)) * generator.uniform(0.4, 1.0)


LOW, HIGH = Speaker(pitch=105, tract=0.95, seed=1), Speaker(pitch=205, tract=1.15, seed=2)
