"""Speaker embeddings of short windows at two scales, centred on one grid, over the speech of the recording.

The encoder is GE2E (Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018) with Resemblyzer's
weights; two scales as in Park et al., "Multi-Scale Speaker Diarization with Neural Affinity Score Fusion" (ICASSP
2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...parallel import ordered
from ..base import Samples, release_pages
from .activity import Mask, Posteriors
from .blocks import block_ranges
from .level import GainCurve
from .mel import Mels, mel_power

if TYPE_CHECKING:
    from .networks import SpeakerEncoder

SCALES = (120, 200)  # window lengths in mel frames of 10 ms
GRID = 40  # frames between window centres
BATCH = 32  # grid points to a batch: 13 s
DIMENSION = 256


@dataclass(frozen=True)
class Windows:
    """Embedded windows. `centres` (windows,) are 10 ms frame numbers, `alone` (windows,) is the expected part of
    the short window in which one voice speaks, `vectors` (windows, scales, 256) unit vectors, float16, in a file."""

    centres: npt.NDArray[np.int64]
    alone: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        taken = np.asarray(self.vectors[rows], dtype=np.float32)
        release_pages(self.vectors)
        return taken


def window_centres(speech: Mask, solo: Posteriors) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Grid points around which anyone speaks, and the expected part of the short window there in which one voice
    does alone. `speech` and `solo`, its probability, are on 20 ms frames."""
    frames = 2 * len(speech)
    centres = np.arange(GRID // 2, max(frames, GRID // 2 + 1), GRID)
    chosen = _share(speech, centres, GRID // 2) > 0.2
    return centres[chosen], _share(solo, centres, SCALES[0] // 2)[chosen].astype(np.float32)


def _share(mask: Mask | Posteriors, centres: npt.NDArray[np.int64], half: int) -> npt.NDArray[np.float64]:
    total = np.concatenate(([0], np.cumsum(mask, dtype=np.float64)))
    low, high = np.clip((centres - half) // 2, 0, len(mask)), np.clip((centres + half) // 2, 0, len(mask))
    return (total[high] - total[low]) / half


def embed(
    pcm: Samples,
    gain: GainCurve,
    speech: Mask,
    solo: Posteriors,
    encoder: SpeakerEncoder,
    bf16: bool,
    scratch: Path,
    report: Callable[[float], None],
) -> Windows:
    """Embeds every window of `window_centres`. Scratch takes 1 KiB for each."""
    centres, alone = window_centres(speech, solo)
    shape = (len(centres), len(SCALES), DIMENSION)
    if not len(centres):
        return Windows(centres, alone, np.zeros(shape, dtype=np.float16))
    vectors = np.lib.format.open_memmap(scratch / "embeddings.npy", mode="w+", dtype=np.float16, shape=shape)
    margin = max(SCALES)

    def encode_block(block: tuple[int, int]) -> int:
        start, stop = block
        first, last = np.searchsorted(centres, block).tolist()
        if first < last:
            mels = mel_power(pcm, gain, start - margin, stop + margin)
            for scale, length in enumerate(SCALES):
                starts = centres[first:last] - length // 2 - (start - margin)
                vectors[first:last, scale] = encode(mels, starts, length, encoder, bf16)
        return last

    for done in ordered(encode_block, block_ranges(2 * len(speech), BATCH * GRID)):
        release_pages(vectors)
        report(done / len(centres))
    return Windows(centres, alone, vectors)


def encode(
    mels: Mels, starts: npt.NDArray[np.int64], length: int, encoder: SpeakerEncoder, bf16: bool
) -> npt.NDArray[np.float32]:
    """Embeddings of the windows mels[start : start + length], shape (windows, 256)."""
    import torch

    windows = np.lib.stride_tricks.sliding_window_view(mels, length, axis=0)[starts].transpose(0, 2, 1)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        embeddings: npt.NDArray[np.float32] = encoder(torch.from_numpy(np.ascontiguousarray(windows))).numpy()
    return embeddings
