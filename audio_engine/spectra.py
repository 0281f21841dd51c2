"""Short-time spectra on a grid that is anchored at the recording's start, so that any stretch can be taken by itself.

Analysis and synthesis both use the square root of a periodic Hann window; at four frames to a window their product adds
up to a constant (Griffin & Lim, "Signal Estimation from Modified Short-Time Fourier Transform", IEEE TASSP 1984), and a
spectrum left as it is gives the samples back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

HOP_SECONDS = 0.024
HOPS = 4  # to a window: 96 ms resolve the harmonics of the lowest voices

Signal = npt.NDArray[np.float32]
Spectra = npt.NDArray[np.complex64]


class Grid:
    """Frame m is centred on sample m * hop of a recording at `rate` Hz and reaches two hops to either side."""

    def __init__(self, rate: int, hop_seconds: float = HOP_SECONDS) -> None:
        self.rate = rate
        self.hop = round(hop_seconds * rate)
        self.size = HOPS * self.hop
        self.bins = self.size // 2 + 1
        self._window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)).astype(np.float32)

    def touching(self, start: int, stop: int) -> tuple[int, int]:
        """First and one past the last of the frames that reach into samples `start` to `stop`."""
        return start // self.hop - 1, (stop - 1) // self.hop + 3

    def within(self, start: int, stop: int) -> tuple[int, int]:
        """First and one past the last of the frames that reach no further than samples `start` to `stop`."""
        first = -(-start // self.hop) + 2
        return first, max(first, stop // self.hop - 1)

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """First sample and one past the last of what the frames `first` to `last` cover."""
        return (first - 2) * self.hop, (last + 1) * self.hop

    def seconds(self, first: int, last: int) -> npt.NDArray[np.float64]:
        """Where the centres of the frames `first` to `last` lie, shape (frames,)."""
        return np.arange(first, last, dtype=np.float64) * (self.hop / self.rate)

    def analyse(self, samples: Signal) -> Spectra:
        """Spectra, shape (..., frames, bins), of samples, shape (..., samples), that cover whole frames."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.size, axis=-1)[..., :: self.hop, :]
        spectra: Spectra = rfft(frames * self._window, axis=-1)
        return spectra

    def synthesise(self, spectra: Spectra) -> Signal:
        """The samples, shape (..., samples), of spectra (..., frames, bins); right where all frames are there."""
        frames = irfft(spectra, self.size, axis=-1) * (self._window * np.float32(2 / HOPS))
        count = frames.shape[-2]
        result = np.zeros((*frames.shape[:-2], count + HOPS - 1, self.hop), dtype=np.float32)
        for part in range(HOPS):
            result[..., part : part + count, :] += frames[..., part * self.hop : (part + 1) * self.hop]
        return result.reshape(*frames.shape[:-2], -1)
