"""What the packaged networks and the spectrum say about each 20 ms of a recording: what the frame head listens to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..base import Samples
from .blocks import BLOCK_SECONDS, block_ranges, read_samples
from .level import GainCurve
from .mel import HOP, MELS, log_mel

if TYPE_CHECKING:
    from .networks import SileroVad, State

FRAME = 320  # samples: 20 ms
FRAME_RATE = 50
MELS_PER_FRAME = FRAME // HOP
SILERO_FRAME = 512
SILERO_CONTEXT = 64
SILERO_OUTPUTS = 129  # the logit and the hidden state
FEATURES = MELS * MELS_PER_FRAME + SILERO_OUTPUTS
LOGIT = MELS * MELS_PER_FRAME  # the column of silero's logit
BLOCK_FRAMES = BLOCK_SECONDS * FRAME_RATE

Features = npt.NDArray[np.float32]


def frame_count(samples: int) -> int:
    return -(-samples // FRAME)


def feature_blocks(pcm: Samples, gain: GainCurve, silero: SileroVad) -> Iterator[Features]:
    """Features of consecutive 20 ms frames, each block (frames, FEATURES) float32 of at most two minutes: two log mel
    spectra, silero's logit and its hidden state. Where the blocks are cut changes no more than rounding."""
    hearing = _Hearing(pcm, gain, silero)
    for start, stop in block_ranges(frame_count(len(pcm)), BLOCK_FRAMES):
        spectra = log_mel(pcm, gain, start * MELS_PER_FRAME, stop * MELS_PER_FRAME).reshape(stop - start, -1)
        yield np.concatenate((spectra, hearing.at(start, stop)), axis=1)


class _Hearing:
    """Silero's outputs on its 32 ms frames, heard once from start to end and read off on ours."""

    def __init__(self, pcm: Samples, gain: GainCurve, silero: SileroVad) -> None:
        self._pcm, self._gain, self._silero = pcm, gain, silero
        self._total = -(-len(pcm) // SILERO_FRAME)
        self._state: State | None = None
        self._first = 0  # silero's frame that _outputs begins with
        self._outputs = np.zeros((0, SILERO_OUTPUTS), dtype=np.float32)

    def at(self, start: int, stop: int) -> Features:
        """Linear between silero's frame centres, for our frames start to stop; later calls must ask for later ones."""
        position = (np.arange(start, stop) + 0.5) * FRAME / SILERO_FRAME - 0.5
        left = np.clip(np.floor(position).astype(np.int64), 0, self._total - 1)
        right = np.minimum(left + 1, self._total - 1)
        self._advance(int(left[0]), int(right[-1]) + 1)
        weight = np.clip(position - left, 0, 1).astype(np.float32)[:, None]
        before, behind = self._outputs[left - self._first], self._outputs[right - self._first]
        return np.asarray(before + (behind - before) * weight)

    def _advance(self, keep_from: int, until: int) -> None:
        import torch

        heard = self._first + len(self._outputs)
        begin = heard * SILERO_FRAME - SILERO_CONTEXT
        samples = self._gain.apply(read_samples(self._pcm, begin, until * SILERO_FRAME), begin)
        frames = np.lib.stride_tricks.sliding_window_view(samples, SILERO_CONTEXT + SILERO_FRAME)[::SILERO_FRAME]
        with torch.inference_mode():
            logits, hidden, self._state = self._silero(torch.from_numpy(frames.copy()), self._state)
            new = torch.cat((logits[:, None], hidden), dim=1).numpy()
        self._outputs = np.concatenate((self._outputs[keep_from - self._first :], new))
        self._first = keep_from
