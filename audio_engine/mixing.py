"""A recording of any rate and channels as the stereo recordings that engines for music hear, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr

from .decoding import Decoder, to_float

Signal = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Channels:
    """How a recording's channels make pairs: left with right, each other one with itself."""

    pairs: tuple[tuple[int, int], ...]
    count: int

    @classmethod
    def of(cls, layout: str, count: int) -> Channels:
        """`layout` is FFmpeg's name for where the `count` channels are. Two are always left and right."""
        names = [channel.name for channel in av.AudioLayout(layout).channels] if layout else []
        pairs: list[tuple[int, int]] = []
        channel = 0
        while channel < count:
            right = channel + 1
            together = right < count and (count == 2 or _opposite(names[channel : right + 1]))
            pairs.append((channel, right if together else channel))
            channel = right + together
        return cls(tuple(pairs), count)

    def paired(self, block: Signal) -> Signal:
        """From shape (frames, channels) to (frames, 2 * pairs)."""
        return np.ascontiguousarray(block[:, [channel for pair in self.pairs for channel in pair]])

    def single(self, block: Signal) -> Signal:
        """The reverse; a channel that was both sides of a pair is their mean."""
        sides = block.reshape(len(block), len(self.pairs), 2)
        found = np.empty((len(block), self.count), dtype=np.float32)
        for number, (left, right) in enumerate(self.pairs):
            if left == right:
                found[:, left] = sides[:, number].mean(axis=1)
            else:
                found[:, [left, right]] = sides[:, number]
        return found


def _opposite(names: list[str]) -> bool:
    """Whether those are FFmpeg's names of the left and the right of two channels."""
    return len(names) == 2 and names[0].endswith("L") and names[1] == f"{names[0][:-1]}R"


@dataclass(frozen=True, slots=True)
class Level:
    """Of one pair: mean and standard deviation over time of the mean of its two sides."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Mix:
    """A recording on disk as raw float32, a stereo recording for each pair of its channels, at `rate` Hz."""

    path: Path
    rate: int
    frames: int
    levels: tuple[Level, ...]  # one for each pair
    first: int = 0  # the frame of the file with which it begins

    def read(self, start: int, stop: int) -> Signal:
        """The frames `start` to `stop`, both within the recording: shape (frames, 2 * pairs)."""
        width = 2 * len(self.levels)
        offset = (self.first + start) * width * 4
        return np.fromfile(self.path, np.float32, (stop - start) * width, offset=offset).reshape(-1, width)

    def part(self, start: int, stop: int) -> Mix:
        """The frames `start` to `stop`, at the level of the whole."""
        return replace(self, first=self.first + start, frames=stop - start)


def write_mix(decoder: Decoder, channels: Channels, rate: int, path: Path, progress: Callable[[float], None]) -> Mix:
    """Decode everything into `path`. `progress` gets the seconds done. Raises what `Decoder.blocks` raises, and
    OSError.
    """
    width = 2 * len(channels.pairs)
    meter = _Meter(len(channels.pairs))
    resampler: soxr.ResampleStream | None = None
    with path.open("wb", buffering=1 << 20) as file:
        for block in decoder.blocks():
            signal = channels.paired(to_float(block))
            if decoder.rate != rate:
                resampler = resampler or soxr.ResampleStream(decoder.rate, rate, width, dtype="float32", quality="HQ")
                signal = resampler.resample_chunk(signal)
            meter.feed(signal)
            file.write(signal.tobytes())
            progress(decoder.frames / decoder.rate)
        if resampler is not None:
            signal = resampler.resample_chunk(np.empty((0, width), np.float32), last=True)
            meter.feed(signal)
            file.write(signal.tobytes())
    return Mix(path, rate, meter.frames, meter.levels())


class _Meter:
    def __init__(self, pairs: int) -> None:
        self.frames = 0
        self._sums, self._squares = np.zeros(pairs), np.zeros(pairs)

    def feed(self, signal: Signal) -> None:
        middle = signal.reshape(len(signal), len(self._sums), 2).mean(axis=2, dtype=np.float64)
        self.frames += len(middle)
        self._sums += middle.sum(axis=0)
        self._squares += np.square(middle).sum(axis=0)

    def levels(self) -> tuple[Level, ...]:
        return tuple(
            Level(total / self.frames, math.sqrt(max(0.0, squares - total**2 / self.frames) / max(1, self.frames - 1)))
            for total, squares in zip(self._sums.tolist(), self._squares.tolist(), strict=True)
        )
