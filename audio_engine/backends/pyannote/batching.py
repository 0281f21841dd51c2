"""Windows of a recording, in batches of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch


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

    def take(self, numbers: npt.NDArray[np.intp], count: int) -> torch.Tensor:
        """The windows `numbers`, shape (count, 1, size), zeros behind the last: networks that always see one shape
        keep one plan and one workspace, where an odd last batch would cost both anew.
        """
        taken = torch.empty((count, 1, self.size))
        taken[len(numbers) :] = 0
        for row, number in enumerate(numbers):
            start = round(int(number) * self.step * self.sample_rate)
            part = self.waveform[0, start : start + self.size]
            taken[row, 0, : len(part)] = part
            taken[row, 0, len(part) :] = 0
        return taken


def batches(numbers: npt.NDArray[np.intp], size: int) -> Iterator[npt.NDArray[np.intp]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
