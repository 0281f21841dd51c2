"""Rooms made up from random numbers: the early echoes of a box-shaped room, then a decaying diffuse tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

RATE = 16_000
SPEED_OF_SOUND = 343.0  # m/s
EARLY_SECONDS = 0.05
REFLECTIONS = 3  # images on each side along each axis

Wave = npt.NDArray[np.float32]
Point = npt.NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Room:
    """A box with a microphone in it; `size` and `microphone` in metres, `decay` is RT60 in seconds."""

    size: Point
    microphone: Point
    decay: float
    farthest: float  # metres between a speaker and the microphone

    def response(self, generator: Generator) -> Wave:
        """Impulse response from a speaker somewhere in the room, the direct path of height 1 at sample 0."""
        distance = generator.uniform(0.3, self.farthest)
        early = self._early(self._speaker(generator, distance))
        return (early + self._tail(generator, len(early), distance)).astype(np.float32)

    def _speaker(self, generator: Generator, distance: float) -> Point:
        angle, rise = generator.uniform(0, 2 * np.pi), generator.uniform(-0.3, 0.3)
        direction = np.array([np.cos(angle), np.sin(angle), rise])
        place = self.microphone + distance * direction / np.linalg.norm(direction)
        return np.clip(place, 0.2, self.size - 0.2)

    def _early(self, speaker: Point) -> npt.NDArray[np.float64]:
        """Image sources (Allen & Berkley, JASA 1979) up to `EARLY_SECONDS` behind the direct path."""
        order = np.arange(-REFLECTIONS, REFLECTIONS + 1)
        axes = [
            np.concatenate((2 * order * side + x, 2 * order * side - x))
            for side, x in zip(self.size, speaker, strict=True)
        ]
        bounces = np.concatenate((np.abs(2 * order), np.abs(2 * order - 1)))
        offsets = [(axis - place) ** 2 for axis, place in zip(axes, self.microphone, strict=True)]
        far = np.sqrt(offsets[0][:, None, None] + offsets[1][None, :, None] + offsets[2][None, None, :])
        count = bounces[:, None, None] + bounces[None, :, None] + bounces[None, None, :]
        direct = max(far.min(), 0.1)
        delays = np.rint((far - direct) / SPEED_OF_SOUND * RATE).astype(int)
        taps = self._reflection() ** count * direct / np.maximum(far, 0.1)
        response = np.zeros(max(int(self.decay * RATE), int(EARLY_SECONDS * RATE) + 1))
        near = delays < EARLY_SECONDS * RATE
        np.add.at(response, delays[near], taps[near])
        return response

    def _reflection(self) -> float:
        """Wall reflection for the room's RT60 by Eyring's formula."""
        volume = float(self.size.prod())
        surface = 2 * float(self.size[0] * self.size[1] + self.size[1] * self.size[2] + self.size[0] * self.size[2])
        absorption = 1 - np.exp(-0.161 * volume / (surface * self.decay))
        return float(np.sqrt(np.clip(1 - absorption, 0.0, 0.98)))

    def _tail(self, generator: Generator, length: int, distance: float) -> npt.NDArray[np.float64]:
        """Decaying noise (Polack 1988) as strong against the direct path as the critical distance says."""
        seconds = np.arange(length) / RATE
        tail = generator.standard_normal(length) * np.exp(-6.9 * seconds / self.decay)
        tail = sosfilt(butter(1, generator.uniform(2500, 7500), fs=RATE, output="sos"), tail)
        tail *= np.clip(seconds / EARLY_SECONDS, 0, 1)
        critical = 0.057 * np.sqrt(float(self.size.prod()) / self.decay)
        height = distance / critical * 10 ** (generator.uniform(-4, 2) / 20)
        return np.asarray(tail * height / np.sqrt((tail**2).sum() + 1e-12))


def room(generator: Generator) -> Room:
    size = np.array([generator.uniform(2.5, 9), generator.uniform(2.5, 9), generator.uniform(2.3, 4)])
    microphone = size * generator.uniform(0.25, 0.75, 3)
    farthest = float(np.clip(generator.choice([0.6, 1.5, 4.0], p=[0.3, 0.3, 0.4]), 0.4, size[:2].min() / 2 + 0.3))
    return Room(size, microphone, float(np.exp(generator.uniform(np.log(0.1), np.log(1.0)))), farthest)
