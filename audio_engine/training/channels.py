"""What microphones, telephones, codecs and converters do to a recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len
from scipy.signal import butter, sosfilt

from .acoustics import RATE, Generator, Wave


def colour(generator: Generator, response: Wave) -> Wave:
    """An impulse response with a random slope of up to 4 dB an octave and up to two broad dips or bumps put on it:
    another mouth, another microphone. The result is up to 1024 samples longer."""
    length = next_fast_len(len(response) + 1024, real=True)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / RATE), 60) / 1000)
    decibels = generator.uniform(-4, 4) * octaves
    for _ in range(generator.integers(0, 3)):
        distance = (octaves - generator.uniform(-3, 3)) / generator.uniform(0.3, 1)
        decibels += generator.uniform(-10, 8) * np.exp(-(distance**2))
    minimum_phase = _minimum_phase(decibels * np.log(10) / 20, length)
    return np.fft.irfft(np.fft.rfft(response, length) * minimum_phase, length).astype(np.float32)


def _minimum_phase(log_magnitude: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.complex128]:
    """The causal spectrum of that magnitude, by folding its cepstrum (Oppenheim & Schafer)."""
    cepstrum = np.fft.irfft(log_magnitude, length)
    cepstrum[1 : (length + 1) // 2] *= 2
    cepstrum[length // 2 + 1 :] = 0
    return np.exp(np.fft.rfft(cepstrum))


def record(generator: Generator, wave: Wave) -> Wave:
    """`wave` through a random channel: bandwidth, level from -55 to 0 dBFS, clipping, offset, 16 bits."""
    if generator.random() < 0.15:
        wave = telephone(generator, wave)
    elif generator.random() < 0.3:
        wave = low_pass(generator, wave)
    loud = float(np.percentile(np.abs(wave), 99.5)) + 1e-9
    wave = wave / loud * 10 ** (generator.uniform(-55, 0) / 20)
    if generator.random() < 0.1:
        limit = generator.uniform(0.2, 0.6) * np.abs(wave).max()
        wave = np.clip(wave, -limit, limit)
    if generator.random() < 0.1:
        wave = wave + generator.uniform(-0.2, 0.2) * np.abs(wave).max()
    return (np.rint(np.clip(wave, -1, 1) * 32767) / 32767).astype(np.float32)


def telephone(generator: Generator, wave: Wave) -> Wave:
    """300 to 3400 Hz, then the steps of G.711's mu-law at a random level."""
    band = [generator.uniform(180, 350), generator.uniform(3000, 3700)]
    wave = sosfilt(butter(4, band, "bandpass", fs=RATE, output="sos"), wave)
    scale = np.abs(wave).max() * 10 ** (generator.uniform(0, 20) / 20) + 1e-9
    curve = np.sign(wave) * np.log1p(255 * np.abs(wave) / scale) / np.log(256)
    coded = np.rint(curve * 127) / 127
    decoded = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255 * scale
    return np.asarray(sosfilt(butter(4, 3800, fs=RATE, output="sos"), decoded), dtype=np.float32)


def low_pass(generator: Generator, wave: Wave) -> Wave:
    """As codecs of low rate: nothing above 3 to 7.5 kHz."""
    edge = butter(8, generator.uniform(3000, 7500), fs=RATE, output="sos")
    return np.asarray(sosfilt(edge, wave), dtype=np.float32)
