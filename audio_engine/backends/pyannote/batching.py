"""Windows of a recording, in batches of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ..devices import sent

Numbers = npt.NDArray[np.intp]
SILENT = -1  # the number of a window that is not in the recording


@dataclass(frozen=True)
class Windows:
    """Overlapping windows of `size` samples over `waveform`, shape (1, samples), that cover all of it.

    One starts every `step` seconds. The last is filled up with zeros.
    """

    waveform: torch.Tensor
    sample_rate: int
    size: int
    step: float

    def __len__(self) -> int:
        beyond = max(0, self.waveform.shape[1] - self.size)
        return 1 + -(-beyond // round(self.step * self.sample_rate))

    def take(self, numbers: Numbers, count: int) -> Batch:
        """The windows `numbers`, which rise, and silent ones behind the last, `count` in all: networks that always see
        one shape keep one plan and one workspace, where an odd last batch would cost both anew.
        """
        return Batch(self, np.pad(numbers, (0, count - len(numbers)), constant_values=SILENT))

    def start(self, number: int) -> int:
        """The first sample of a window."""
        return round(number * self.step * self.sample_rate)


@dataclass(frozen=True)
class Batch:
    """Windows that are not cut yet; those numbered `SILENT` are zeros. Sliced as a tensor of them would be."""

    windows: Windows
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice) -> Batch:
        return Batch(self.windows, self.numbers[rows])

    def to(self, device: torch.device) -> torch.Tensor:
        """They themselves on `device`, shape (windows, 1, size). What lies in many of them goes there once."""
        size = self.windows.size
        starts = [self.windows.start(int(number)) for number in self.numbers if number != SILENT]
        places = _places(starts, size)
        heard = sent(self._heard(starts, places, pinned=device.type == "cuda"), device)
        silence = [heard.new_zeros(size)] * (len(self) - len(starts))
        return torch.stack([*(heard[place : place + size] for place in places), *silence])[:, None]

    def _heard(self, starts: list[int], places: list[int], *, pinned: bool) -> torch.Tensor:
        """What the windows that begin at `starts` lie over, each at its place. A GPU fetches it by itself from memory
        that is `pinned`.
        """
        size, waveform = self.windows.size, self.windows.waveform[0]
        heard = torch.zeros(places[-1] + size if places else 0, pin_memory=pinned)
        done = 0
        for start, place in zip(starts, places, strict=True):
            part = waveform[start + done - place : start + size]  # what the window before has not brought
            heard[done : done + len(part)] = part
            done = place + size
        return heard


def _places(starts: list[int], size: int) -> list[int]:
    """Where windows begin that begin at `starts` in a recording once what none of them lies over is left out."""
    steps = np.minimum(np.diff(np.array(starts, dtype=np.intp), prepend=starts[:1]), size)
    return [int(place) for place in steps.cumsum()]


def batches(numbers: Numbers, size: int) -> Iterator[Numbers]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
