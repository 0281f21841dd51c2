"""What the packaged networks and the spectrum say about each 20 ms of a recording: what the frame head listens to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...memory import Samples
from ...parallel import ordered
from .blocks import block_ranges, read_samples
from .level import GainCurve
from .mel import HOP, MELS, log_mel

if TYPE_CHECKING:
    from torch import Tensor

    from .networks import SileroVad, State

FRAME = 320  # samples: 20 ms
FRAME_RATE = 50
MELS_PER_FRAME = FRAME // HOP
SILERO_FRAME = 512
SILERO_CONTEXT = 64
SILERO_OUTPUTS = 129  # the logit and the hidden state
FEATURES = MELS * MELS_PER_FRAME + SILERO_OUTPUTS
LOGIT = MELS * MELS_PER_FRAME  # the column of silero's logit
BLOCK_FRAMES = 30 * FRAME_RATE

Features = npt.NDArray[np.float32]


def frame_count(samples: int) -> int:
    return -(-samples // FRAME)


def feature_blocks(pcm: Samples, gain: GainCurve, silero: SileroVad) -> Iterator[Features]:
    """Features of consecutive 20 ms frames, each block (frames, FEATURES) float32 of at most half a minute: two log mel
    spectra, silero's logit and its hidden state. Where the blocks are cut changes no more than rounding."""
    total = -(-len(pcm) // SILERO_FRAME)
    memory = _Memory(silero, total)

    def prepare(block: tuple[int, int]) -> tuple[Features, Tensor]:
        start, stop = block
        spectra = log_mel(pcm, gain, start * MELS_PER_FRAME, stop * MELS_PER_FRAME).reshape(stop - start, -1)
        return spectra, _encode(pcm, gain, silero, _frames_needed(start, total), _frames_needed(stop, total))

    blocks = list(block_ranges(frame_count(len(pcm)), BLOCK_FRAMES))
    for (start, stop), (spectra, encoded) in zip(blocks, ordered(prepare, blocks), strict=True):
        yield np.concatenate((spectra, memory.at(start, stop, encoded)), axis=1)


def _frames_needed(stop: int, total: int) -> int:
    """How many of silero's frames there must be for all of ours before `stop`."""
    return min(int(_positions(stop - 1, stop)[0]) + 2, total) if stop else 0


def _positions(start: int, stop: int) -> npt.NDArray[np.float64]:
    """The centres of our frames, counted in silero's."""
    return (np.arange(start, stop, dtype=np.float64) + 0.5) * (FRAME / SILERO_FRAME) - 0.5


def _encode(pcm: Samples, gain: GainCurve, silero: SileroVad, first: int, last: int) -> Tensor:
    """What silero makes of its frames first to last before it remembers, shape (last - first, 128)."""
    import torch

    if first == last:  # a last block so short that the frames before it reach to its end
        return torch.zeros(0, 128)
    begin = first * SILERO_FRAME - SILERO_CONTEXT
    samples = gain.apply(read_samples(pcm, begin, last * SILERO_FRAME), begin)
    with torch.inference_mode():
        return silero.encode(torch.from_numpy(samples).unfold(0, SILERO_CONTEXT + SILERO_FRAME, SILERO_FRAME))


class _Memory:
    """Silero's outputs on its 32 ms frames, from start to end, read off on ours."""

    def __init__(self, silero: SileroVad, total: int) -> None:
        self._silero, self._total = silero, total
        self._state: State | None = None
        self._first = 0  # silero's frame that _outputs begins with
        self._outputs = np.zeros((0, SILERO_OUTPUTS), dtype=np.float32)

    def at(self, start: int, stop: int, encoded: Tensor) -> Features:
        """Linear between silero's frame centres, for our frames start to stop, which follow the last call's.
        `encoded` are silero's frames that these need and those before did not."""
        position = _positions(start, stop)
        left = np.clip(np.floor(position).astype(np.int64), 0, self._total - 1)
        right = np.minimum(left + 1, self._total - 1)
        self._advance(int(left[0]), encoded)
        weight = np.clip(position - left, 0, 1).astype(np.float32)[:, None]
        before, behind = self._outputs[left - self._first], self._outputs[right - self._first]
        return np.asarray(before + (behind - before) * weight)

    def _advance(self, keep_from: int, encoded: Tensor) -> None:
        import torch

        self._outputs = self._outputs[keep_from - self._first :]
        self._first = keep_from
        if not len(encoded):
            return
        with torch.inference_mode():
            logits, hidden, self._state = self._silero.recur(encoded, self._state)
            new = torch.cat((logits[:, None], hidden), dim=1).numpy()
        self._outputs = np.concatenate((self._outputs, new))
