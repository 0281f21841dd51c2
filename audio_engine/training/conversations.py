"""Conversations put together from single-speaker recordings, with who speaks when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import oaconvolve, resample_poly

from . import acoustics, channels, noises
from .acoustics import RATE, Generator, Wave

FRAME = 160  # samples: labels are on 10 ms frames
SHORTEST = 20  # frames of an excerpt
FADE = np.linspace(0, 1, FRAME, dtype=np.float32)


@dataclass(frozen=True)
class Voice:
    """A speaker's recording and the 10 ms frames in which they speak."""

    wave: Wave
    active: npt.NDArray[np.bool_]

    def at_speed(self, percent: int) -> Voice:
        """Played at `percent` of its speed, pitch and formants moving along: nearly another speaker."""
        length = len(self.active) * 100 // percent
        wave = resample_poly(self.wave, 100, percent)[: length * FRAME].astype(np.float32)
        return Voice(wave, self.active[np.arange(length) * percent // 100])


@dataclass(frozen=True)
class Mixture:
    wave: Wave
    active: npt.NDArray[np.bool_]  # (10 ms frames, speakers)
    crowded: bool  # others talk in the background, who count neither as speakers nor as silence


@dataclass(frozen=True)
class Manners:
    """How a group talks: chances of starting early and of a short word in between, mean seconds of turns and gaps."""

    early: float
    interjection: float
    turn: float
    gap: float

    @classmethod
    def of(cls, generator: Generator) -> Manners:
        return cls(
            generator.choice([0.0, 0.2, 0.5, 0.8]),
            generator.choice([0.0, 0.3, 0.7]),
            np.exp(generator.uniform(np.log(0.7), np.log(6))),
            generator.choice([0.15, 0.4, 1.5, 5.0], p=[0.35, 0.35, 0.2, 0.1]),
        )


def conversation(generator: Generator, voices: list[Voice], seconds: float, crowd: list[Voice]) -> Mixture:
    """`voices` take turns for so long in one room, disturbed by noise or by the babble of `crowd`, and recorded."""
    voices = [voice.at_speed(int(generator.integers(85, 118))) for voice in voices]
    tracks, active = _talk(generator, voices, int(seconds * RATE) // FRAME)
    wave = _in_one_room(generator, tracks)
    loud = _level(wave, np.asarray(active.any(axis=1)))
    noisy = wave + loud * _below(generator, 25, 70) * noises.unit(noises.coloured(generator, len(wave)))
    kind = generator.choice(["none", "noise", "crowd"], p=[0.35, 0.55, 0.10])
    if kind == "noise":
        noisy += loud * _below(generator, -5, 25) * noises.background(generator, len(wave))
    if kind == "crowd":
        noisy += loud * _below(generator, 0, 25) * _babble(generator, crowd, len(wave))
    return Mixture(channels.record(generator, noisy.astype(np.float32)), active, kind == "crowd")


def _talk(generator: Generator, voices: list[Voice], frames: int) -> tuple[Wave, npt.NDArray[np.bool_]]:
    manners = Manners.of(generator)
    active = np.zeros((frames, len(voices)), dtype=bool)
    tracks = np.zeros((len(voices), frames * FRAME), dtype=np.float32)
    end, speaker = int(generator.exponential(1.0) * 100), -1
    while end < frames and voices:
        speaker = _next_speaker(generator, len(voices), speaker)
        early = generator.random() < manners.early
        gap = -generator.uniform(0.1, 1.8) if early else generator.exponential(manners.gap)
        start = max(0, end + int(gap * 100))
        stop = _say(generator, voices[speaker], manners.turn, tracks[speaker], active[:, speaker], start)
        if len(voices) > 1 and stop - start > 100 and generator.random() < manners.interjection:
            other = _next_speaker(generator, len(voices), speaker)
            _say(generator, voices[other], 0.5, tracks[other], active[:, other], int(generator.integers(start, stop)))
        end = max(end, stop) if stop > start else end + 50
    return tracks, active


def _next_speaker(generator: Generator, count: int, last: int) -> int:
    if count == 1 or last < 0:
        return int(generator.integers(count))
    return int(last + generator.integers(1, count)) % count


def _say(
    generator: Generator, voice: Voice, mean: float, track: Wave, active: npt.NDArray[np.bool_], start: int
) -> int:
    """Put an excerpt of about `mean` seconds at frame `start`; returns the frame behind it."""
    size = int(np.clip(generator.gamma(2.0, mean / 2), 0.25, 10) * 100)
    speech = np.flatnonzero(voice.active)
    first = int(speech[generator.integers(len(speech))])
    size = min(size, len(voice.active) - first, len(active) - start)
    if size < SHORTEST or active[start : start + size].any():
        return start
    excerpt = voice.wave[first * FRAME : (first + size) * FRAME] * 10 ** (generator.normal(0, 1.5) / 20)
    excerpt[:FRAME] *= FADE
    excerpt[-FRAME:] *= FADE[::-1]
    track[start * FRAME : (start + size) * FRAME] += excerpt
    active[start : start + size] |= voice.active[first : first + size]
    return start + size


def _in_one_room(generator: Generator, tracks: Wave) -> Wave:
    place = acoustics.room(generator)
    spread = generator.uniform(0, 6)
    dry = generator.random() < 0.2
    mixed = np.zeros(tracks.shape[1], dtype=np.float32)
    for track in tracks:
        response = np.ones(1, dtype=np.float32) if dry else place.response(generator)
        response = channels.colour(generator, response) * np.float32(10 ** (generator.normal(0, spread) / 20))
        if track.any():
            mixed += oaconvolve(track, response)[: len(mixed)]
    return mixed


def _level(wave: Wave, spoken: npt.NDArray[np.bool_]) -> float:
    """RMS while anyone speaks."""
    return float(np.sqrt(np.square(wave.reshape(-1, FRAME)[spoken]).mean())) if spoken.any() else 0.05


def _below(generator: Generator, least: float, most: float) -> float:
    """A factor that lowers by between so many dB."""
    return float(10 ** (-generator.uniform(least, most) / 20))


def _babble(generator: Generator, crowd: list[Voice], length: int) -> Wave:
    place, babble = acoustics.room(generator), np.zeros(length)
    for voice in crowd:
        talk = np.tile(voice.wave, -(-length // len(voice.wave)) + 1)
        babble += talk[generator.integers(len(voice.wave)) :][:length] * generator.uniform(0.3, 1)
    return noises.unit(oaconvolve(babble, place.response(generator))[:length]).astype(np.float32)
