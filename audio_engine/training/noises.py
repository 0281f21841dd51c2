"""Background made up from random numbers: hiss, hum, rain, keys, doors and music that no speech is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import butter, oaconvolve, sosfilt

from .acoustics import RATE, Generator, Wave

Signal = npt.NDArray[np.floating[Any]]


def background(generator: Generator, length: int) -> Wave:
    """One kind of noise of unit power, or two together."""
    kinds: list[Callable[[Generator, int], Signal]] = [coloured, hum, rain, events, keyboard, music, tones]
    weights = np.array([3, 1, 1, 2, 1, 4, 1.0])
    noise = np.zeros(length)
    for _ in range(1 + int(generator.random() < 0.3)):
        kind = kinds[generator.choice(len(kinds), p=weights / weights.sum())]
        noise += unit(kind(generator, length)) * generator.uniform(0.3, 1)
    return unit(noise).astype(np.float32)


def coloured(generator: Generator, length: int) -> Signal:
    """Noise of a random slope, at times with resonances, at times swelling: fans, wind, traffic, crowds far away."""
    size = next_fast_len(length, real=True)
    spectrum = rfft(generator.standard_normal(size, dtype=np.float32))
    hertz = np.maximum(rfftfreq(size, 1 / RATE), 20.0).astype(np.float32)
    shape = hertz ** (-generator.uniform(-0.3, 2.2) / 2)
    for _ in range(generator.integers(0, 4)):
        centre, width = np.exp(generator.uniform(np.log(80), np.log(6000))), generator.uniform(0.05, 0.6)
        shape *= 1 + generator.uniform(0.5, 6) * np.exp(-((np.log(hertz / centre) / width) ** 2))
    noise = irfft(spectrum * shape.astype(np.float32), size)[:length]
    return np.asarray(noise * _swell(generator, length) if generator.random() < 0.6 else noise)


def hum(generator: Generator, length: int) -> Signal:
    """Mains and motors: many harmonics of one slowly wandering pitch."""
    pitch = generator.choice([50.0, 60.0, 100.0, 120.0, generator.uniform(40, 400)])
    wander = 1 + generator.uniform(0, 0.03) * _wander(generator, length)
    phase = 2 * np.pi * np.cumsum(pitch * wander) / RATE
    count = int(min(generator.integers(2, 30), 7500 / pitch))
    heights = generator.uniform(0.1, 1, count) / np.arange(1, count + 1) ** generator.uniform(0.3, 2)
    return _harmonics(phase, heights, generator.uniform(0, 6, count))


def rain(generator: Generator, length: int) -> Signal:
    """Drops that run together, or nearly so: rain, fire, frying, applause."""
    drops = np.zeros(length)
    a_second = np.exp(generator.uniform(np.log(10), np.log(2000)))
    places = generator.integers(0, length, int(length / RATE * a_second))
    np.add.at(drops, places, generator.standard_normal(len(places)) * np.exp(generator.normal(0, 1, len(places))))
    drop = _burst(generator, int(generator.uniform(0.002, 0.02) * RATE))
    return np.asarray(oaconvolve(drops, drop)[:length] * _swell(generator, length))


def events(generator: Generator, length: int) -> Signal:
    """Sparse sounds of 10 ms to 1 s: doors, cups, steps, barks, coughs without a voice."""
    out = np.zeros(length)
    for _ in range(max(1, int(length / RATE * generator.uniform(0.1, 2)))):
        sound = _burst(generator, int(np.exp(generator.uniform(np.log(0.01), np.log(1))) * RATE))
        if generator.random() < 0.3:
            sound = sound + _chirp(generator, len(sound)) * np.abs(sound).max()
        _add(out, sound * generator.uniform(0.1, 1), int(generator.integers(0, length)))
    return out


def keyboard(generator: Generator, length: int) -> Signal:
    out, place = np.zeros(length), 0.0
    key = _burst(generator, int(0.03 * RATE))
    while place < length:
        _add(out, key * generator.uniform(0.3, 1), int(place))
        place += RATE * (generator.exponential(0.15) + 0.05 if generator.random() < 0.95 else generator.uniform(0.5, 3))
    return out


def tones(generator: Generator, length: int) -> Signal:
    """Rings, beeps, sirens, crowing: a gliding tone with harmonics, on and off."""
    out, place = np.zeros(length), 0
    while place < length:
        size = int(generator.uniform(0.05, 1.2) * RATE)
        _add(out, _chirp(generator, size) * np.hanning(size) ** 0.3, place)
        place += size + int(generator.exponential(0.6) * RATE)
    return out


def music(generator: Generator, length: int) -> Signal:
    """Bars of a chord progression: held chords, an arpeggio or a tune on top, a bass, drums, each there or not."""
    beat = int(RATE * 60 / generator.uniform(60, 170))
    root = generator.uniform(100, 240)
    timbres = [_timbre(generator) for _ in range(3)]
    chords, tune, bass, drums = generator.random(4) < [0.6, 0.7, 0.5, 0.5]
    out = 1e-3 * generator.standard_normal(length)
    chord = _chord(generator, root)
    for number, start in enumerate(range(0, length, beat)):
        if number % 4 == 0:
            chord = _chord(generator, root)
            for pitch in chord if chords else ():
                _add(out, _note(generator, timbres[0], pitch, beat * 4) * 0.5, start)
            if bass:
                _add(out, _note(generator, timbres[2], chord[0] / 2, beat * 4), start)
        if tune:
            _arpeggio(generator, out, timbres[1], chord, start, beat)
        if drums:
            _add(out, _drum(generator), start)
            _add(out, _drum(generator) * 0.4, start + beat // 2)
    return out


@dataclass(frozen=True)
class Timbre:
    heights: Signal  # of the harmonics
    decay: float  # 1/s
    attack: float  # s
    vibrato: float  # share of the pitch


def _timbre(generator: Generator) -> Timbre:
    count = int(generator.integers(2, 16))
    heights = generator.uniform(0.1, 1, count) / np.arange(1, count + 1) ** generator.uniform(0.2, 2)
    if generator.random() < 0.3:
        heights[1::2] *= 0.1
    decay = generator.choice([0.0, generator.uniform(0.3, 8)])
    return Timbre(heights, decay, generator.uniform(0.003, 0.08), generator.choice([0.0, generator.uniform(0, 0.02)]))


def _chord(generator: Generator, root: float) -> Signal:
    semitones = generator.choice([0, 2, 3, 5, 7, 9]) + np.array([0, generator.choice([3, 4]), 7])
    return np.asarray(root * 2.0 ** (semitones / 12))


def _arpeggio(generator: Generator, out: Signal, timbre: Timbre, chord: Signal, start: int, beat: int) -> None:
    division = int(generator.choice([1, 2, 4]))
    for step in range(division):
        pitch = chord[generator.integers(3)] * generator.choice([1, 2, 4])
        _add(out, _note(generator, timbre, pitch, beat // division), start + step * beat // division)


def _note(generator: Generator, timbre: Timbre, pitch: float, size: int) -> Signal:
    seconds = np.arange(size, dtype=np.float32) / np.float32(RATE)
    swing = np.sin(np.float32(2 * np.pi * generator.uniform(4, 7)) * seconds)
    phase = np.float32(2 * np.pi * pitch) * (seconds + np.float32(timbre.vibrato / 30) * swing)
    heights = timbre.heights[: max(1, int(7600 / pitch))]
    tone = _harmonics(phase, heights, np.zeros(len(heights)))
    envelope = np.exp(-timbre.decay * seconds) * np.minimum(seconds / timbre.attack, 1)
    envelope *= np.minimum((seconds[-1] - seconds) / 0.02, 1)
    return np.asarray(tone * envelope * generator.uniform(0.4, 1))


def _harmonics(phase: Signal, heights: Signal, offsets: Signal) -> Signal:
    total = np.zeros_like(phase)
    for number, (height, offset) in enumerate(zip(heights, offsets, strict=True), 1):
        total += phase.dtype.type(height) * np.sin(number * phase + phase.dtype.type(offset))
    return total


def _drum(generator: Generator) -> Signal:
    if generator.random() < 0.6:
        return _burst(generator, int(generator.uniform(0.03, 0.2) * RATE)) * generator.uniform(0.2, 2)
    seconds = np.arange(int(0.25 * RATE)) / RATE
    fall = seconds + 0.02 * np.exp(-seconds * 30)
    return 2 * np.sin(2 * np.pi * generator.uniform(45, 90) * fall) * np.exp(-seconds * 18)


def _burst(generator: Generator, size: int) -> Signal:
    """Band-limited noise that dies away, of height 1."""
    size = max(size, 32)
    centre = np.exp(generator.uniform(np.log(80), np.log(5000)))
    edges = [centre * generator.uniform(0.3, 0.9), min(centre * generator.uniform(1.1, 4), 7900)]
    sound = sosfilt(butter(2, edges, "bandpass", fs=RATE, output="sos"), generator.standard_normal(size))
    sound *= np.exp(-np.arange(size) / size * generator.uniform(2, 8))
    return np.asarray(sound / (np.abs(sound).max() + 1e-9))


def _chirp(generator: Generator, size: int) -> Signal:
    seconds = np.arange(size) / RATE
    start, stop = np.exp(generator.uniform(np.log(150), np.log(3000), 2))
    stop = stop if generator.random() < 0.5 else start
    glide = start * (stop / start) ** (seconds / max(seconds[-1], 1e-3))
    glide *= 1 + generator.choice([0, 0.05]) * np.sin(2 * np.pi * generator.uniform(3, 20) * seconds)
    count = max(1, int(min(generator.integers(1, 12), 7600 / glide.max())))
    heights = 0.5 / np.arange(1, count + 1) ** generator.uniform(0.3, 1.5)
    return _harmonics(2 * np.pi * np.cumsum(glide) / RATE, heights, np.zeros(count))


def _swell(generator: Generator, length: int) -> Signal:
    nodes = max(4, int(length / RATE * generator.uniform(0.2, 3)))
    levels = 10 ** (generator.uniform(-18, 6, nodes) / 20)
    return np.interp(np.arange(length), np.linspace(0, length, nodes), levels)


def _wander(generator: Generator, length: int) -> Signal:
    nodes = max(4, length // RATE)
    return np.interp(np.arange(length), np.linspace(0, length, nodes), generator.uniform(-1, 1, nodes))


def _add(out: Signal, sound: Signal, start: int) -> None:
    part = out[start : start + len(sound)]
    part += sound[: len(part)]


def unit(signal: Signal) -> Signal:
    return np.asarray(signal / (signal.std() + 1e-9))
