"""Integrated loudness, ITU-R BS.1770-4, of a signal that comes in blocks of one second and may be silent for long.

The filters' coefficients for any sample rate follow Brecht De Man, "Evaluation of Implementations of the EBU R128
Loudness Measurement" (AES 145, 2018).
"""

from __future__ import annotations

from array import array
from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt

from .filters import Chain, Filter

HOPS_A_SECOND = 10
HOPS_A_BLOCK = 4  # 400 ms with 75 % overlap
ABSOLUTE_GATE = -70.0  # LUFS
RELATIVE_GATE = -10.0  # LU
SURROUND_GAIN = 1.41
SURROUND = ("SL", "SR", "BL", "BR")
UNHEARD = ("LFE", "LFE2")


def k_weighting(rate: int) -> tuple[Filter, Filter]:
    """The K filter at `rate` Hz: a shelf and a high-pass."""
    k, q, gain = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band, a0 = gain**0.4996667741545416, 1 + k / q + k * k
    zeros = np.array((gain + band * k / q + k * k, 2 * (k * k - gain), gain - band * k / q + k * k)) / a0
    shelf = _biquad(*zeros, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0)
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return shelf, _biquad(1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0)


def _biquad(*coefficients: float) -> Filter:
    names = ("b0", "b1", "b2", "a1", "a2")
    values = (f"{name}={float(value)!r}" for name, value in zip(names, coefficients, strict=True))
    return "biquad", ":".join(("a0=1", *values))


def channel_gains(layout: str, channels: int) -> npt.NDArray[np.float64]:
    names = [channel.name for channel in av.AudioLayout(layout).channels] if layout else [""] * channels
    return np.array([0.0 if name in UNHEARD else SURROUND_GAIN if name in SURROUND else 1.0 for name in names])


class LoudnessMeter:
    """Measures one track. Only blocks that are not silent have to be fed."""

    def __init__(self, rate: int, layout: str, channels: int) -> None:
        self._rate = rate
        self._filter = k_weighting(rate)
        self._gains = channel_gains(layout, channels)
        self._edges = np.round(np.arange(HOPS_A_SECOND + 1) * rate / HOPS_A_SECOND).astype(np.int64)
        self._blocks = array("d")
        self._next = 0
        self._reset()

    def _reset(self) -> None:
        self._chain = Chain(self._filter, self._rate, len(self._gains), double=True)
        self._recent = np.zeros(HOPS_A_BLOCK - 1)

    def feed(self, signal: npt.NDArray[np.float32], second: int) -> None:
        """Take second number `second`, shape (frames, channels), full scale 1.0; seconds left out count as silent."""
        if second > self._next:
            self._fall_silent()
        self._measure(signal, second)
        self._next = second + 1

    def integrated(self, seconds: float) -> float | None:
        """LUFS of the `seconds` seconds up to now; None where nothing is above the absolute gate."""
        if seconds >= self._next + 1:
            self._fall_silent()
        power = np.frombuffer(self._blocks, dtype=np.float64)
        if not len(power):
            return None
        gate = 10 ** (RELATIVE_GATE / 10) * power.mean()
        return float(_lufs(power[power > gate].mean()))

    def _fall_silent(self) -> None:
        if self._recent.any():
            self._measure(np.zeros((self._rate, len(self._gains)), dtype=np.float32), self._next)
        self._reset()

    def _measure(self, signal: npt.NDArray[np.float32], second: int) -> None:
        weighted = np.ascontiguousarray(np.concatenate(list(self._chain.push(signal))).T)
        edges = self._edges[self._edges <= len(signal)].tolist()
        if len(edges) < 2:
            return
        energies = [[np.dot(hop, hop) for hop in weighted[:, start:end]] for start, end in pairwise(edges)]
        hops = np.array(energies) @ self._gains
        sums = np.convolve(np.concatenate([self._recent, hops]), np.ones(HOPS_A_BLOCK), mode="valid")
        self._recent = np.concatenate([self._recent, hops])[-(HOPS_A_BLOCK - 1) :]
        whole = sums[HOPS_A_BLOCK - 1 :] if second == 0 else sums  # the first blocks would begin before the recording
        blocks = whole * HOPS_A_SECOND / (HOPS_A_BLOCK * self._rate)
        self._blocks.extend(blocks[_lufs(np.maximum(blocks, 1e-30)) > ABSOLUTE_GATE].tolist())


def _lufs(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return -0.691 + 10 * np.log10(power)
