"""Embeddings by GE2E, each window at two lengths by itself.

The encoder is that of Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018) with
Resemblyzer's weights; two scales as in Park et al., "Multi-Scale Speaker Diarization with Neural Affinity Score Fusion"
(ICASSP 2021).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...memory import Samples
from . import packages
from .activity import Mask
from .embeddings import Centres, Listener
from .level import GainCurve
from .mel import Mels, mel_power

if TYPE_CHECKING:
    from .networks import SpeakerEncoder

SCALES = (120, 200)  # window lengths in mel frames of 10 ms
DIMENSION = 256


class Ge2eEncoder:
    """An `Encoder`; in bfloat16 where the processor multiplies it."""

    packaged = packages.GE2E
    scales = SCALES
    dimension = DIMENSION
    batch = 32  # 13 s

    def __init__(self, path: Path, bf16: bool) -> None:
        from .networks import load_speaker_encoder

        self.network, self.bf16 = load_speaker_encoder(path), bf16

    def listener(self, pcm: Samples, gain: GainCurve, speech: Mask) -> Listener:  # noqa: ARG002 (pauses are heard too)
        def listen(centres: Centres) -> npt.NDArray[np.float32]:
            margin = max(SCALES)
            first = int(centres[0]) - margin
            mels = mel_power(pcm, gain, first, int(centres[-1]) + margin)
            found = (encode(mels, centres - length // 2 - first, length, self.network, self.bf16) for length in SCALES)
            return np.stack(list(found), axis=1)

        return listen


def encode(
    mels: Mels, starts: npt.NDArray[np.int64], length: int, encoder: SpeakerEncoder, bf16: bool
) -> npt.NDArray[np.float32]:
    """Embeddings of the windows mels[start : start + length], shape (windows, 256)."""
    import torch

    windows = np.lib.stride_tricks.sliding_window_view(mels, length, axis=0)[starts].transpose(0, 2, 1)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        embeddings: npt.NDArray[np.float32] = encoder(torch.from_numpy(np.ascontiguousarray(windows))).numpy()
    return embeddings
