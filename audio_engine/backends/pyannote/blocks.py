"""Where the windows of a recording lie in the blocks that the embedding network hears in one go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .batching import Windows

ROUNDING = 6  # digits behind the point of a frame's number, so that 12.500000001 is no later than 12.5


@dataclass(frozen=True)
class Blocks:
    """Blocks of `count` successive windows each, every window `step` seconds after the one before.

    The network gives a frame each `frame` seconds, `frames` of which lie in a window.
    """

    count: int
    seconds: float  # of a window
    step: float
    frame: float
    frames: int

    @classmethod
    def over(cls, windows: Windows, most: int, frame: float, frames: int) -> Blocks:
        """Of `most` windows, or of all where there are fewer."""
        return cls(min(most, len(windows)), windows.size / windows.sample_rate, windows.step, frame, frames)

    def of(self, windows: Windows) -> Windows:
        """The blocks' samples, by the number of the first window."""
        beyond = round((self.count - 1) * self.step * windows.sample_rate)
        return Windows(windows.waveform, windows.sample_rate, windows.size + beyond, windows.step)

    def firsts(self, wanted: npt.NDArray[np.intp], total: int) -> npt.NDArray[np.intp]:
        """The first windows of blocks that together have all the `wanted` of the `total` windows, and none beyond."""
        found: list[int] = []
        while len(wanted):
            found.append(min(int(wanted[0]), total - self.count))
            wanted = wanted[wanted >= found[-1] + self.count]
        return np.array(found, dtype=np.intp)

    def places(self) -> npt.NDArray[np.intp]:
        """Which of a block's frames lie in each window, shape (count, frames)."""
        starts = [math.ceil(round(number * self.step / self.frame, ROUNDING)) for number in range(self.count)]
        return np.array(starts, dtype=np.intp)[:, None] + np.arange(self.frames)

    def sampled(self, masks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """`masks` of windows, shape (blocks, count, any number, speakers), at their frames: (blocks, count, frames,
        speakers).
        """
        since = self.places() * self.frame - self.step * np.arange(self.count)[:, None]
        rows = np.floor(np.round(since / self.seconds * masks.shape[2], ROUNDING)).astype(np.intp)
        return masks[:, np.arange(self.count)[:, None], np.clip(rows, 0, masks.shape[2] - 1)]
