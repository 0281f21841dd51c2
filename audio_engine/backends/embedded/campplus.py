"""Embeddings by CAM++: a stretch of the recording is heard once, without its pauses, and pooled in every window.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking" (Interspeech
2023), trained by its authors on Chinese and English.
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
from .fbank import LogMels, log_mels
from .level import GainCurve

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 150  # mel frames of 10 ms
MARGIN = 75  # mel frames that are heard beyond the outermost windows of a stretch
DIMENSION = 192
STEP = 200  # mel frames, of which there are a multiple: for each new length PyTorch keeps kernels and buffers
PIECE = 150  # frames of 20 ms
PIECES = 60
FARTHEST = 1500  # frames of 20 ms from the first of a piece to its last


class CamPlusEncoder:
    """An `Encoder`; in bfloat16 where the processor multiplies it."""

    packaged = packages.CAMPPLUS
    scales = (WINDOW,)
    dimension = DIMENSION
    batch = 100  # 40 s, and three more for the margins

    def __init__(self, path: Path, bf16: bool) -> None:
        import torch

        from .campplus_network import load_campplus

        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self.network = load_campplus(path).to(self.dtype)

    def listener(self, pcm: Samples, gain: GainCurve, speech: Mask) -> Listener:
        mean = mean_mels(pcm, gain, speech)

        def listen(centres: Centres) -> npt.NDArray[np.float32]:
            beyond = WINDOW // 2 + MARGIN
            start = max(int(centres[0]) - beyond, 0) // 2
            stop = min((int(centres[-1]) + beyond) // 2, len(speech))
            spoken = start + np.flatnonzero(speech[start:stop])
            frames = self._frames(at_one_level(_mels_of(pcm, gain, spoken) - mean))
            low = np.searchsorted(spoken, centres // 2 - WINDOW // 4)
            high = np.searchsorted(spoken, centres // 2 + WINDOW // 4)
            return self._pooled(frames, low, high)[:, None]

        return listen

    def _frames(self, mels: LogMels) -> Tensor:
        """What the network finds in each 20 ms of mean-free mels, shape (len(mels) / 2, 512)."""
        import torch

        from .campplus_network import MEL_FRAMES

        whole = np.pad(mels, ((0, -len(mels) % STEP), (0, 0)), mode="edge")
        with torch.inference_mode():
            found: Tensor = self.network(torch.from_numpy(whole).to(self.dtype))
        return found[: len(mels) // MEL_FRAMES]

    def _pooled(
        self, frames: Tensor, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Unit embeddings of the windows frames[low : high], shape (windows, 192), by mean and standard deviation."""
        import torch

        places = np.arange(len(frames))
        inside = torch.from_numpy(((places >= low[:, None]) & (places < high[:, None])).astype(np.float32))
        counts = inside.sum(dim=1, keepdim=True).clamp_min(2)
        with torch.inference_mode():
            frames = frames - (middle := frames.mean(dim=0))  # or squares would leave little of the deviation's digits
            mean = inside @ frames / counts
            variance = (inside @ frames.square() / counts - mean.square()).clamp_min(0) * counts / (counts - 1)
            embeddings = self.network.embed(mean + middle, variance.sqrt())
            return np.asarray(torch.nn.functional.normalize(embeddings, dim=1).numpy())


def mean_mels(pcm: Samples, gain: GainCurve, speech: Mask) -> LogMels:
    """The mean log mels of the speech, shape (80,), from PIECES evenly spread over it: what is subtracted must be the
    same throughout a recording, or one voice would sound like two."""
    spoken = np.flatnonzero(speech)
    starts = np.linspace(0, max(len(spoken) - PIECE, 0), min(PIECES, -(-len(spoken) // PIECE))).astype(np.int64)
    pieces = (spoken[start : start + PIECE] for start in starts)
    near = (piece[piece < piece[0] + FARTHEST] for piece in pieces)
    means = np.stack([_mels_of(pcm, gain, piece).mean(axis=0) for piece in near])
    return np.asarray(means.mean(axis=0), dtype=np.float32)


def at_one_level(mels: LogMels) -> LogMels:
    """Log mels (frames, 80) less the level of a window around each frame: the network was trained on utterances without
    their mean, and a voice far from the microphone, 20 dB below the others, is nothing that it knows."""
    from scipy.ndimage import uniform_filter1d

    level = uniform_filter1d(mels.mean(axis=1), WINDOW, mode="nearest")
    return np.asarray(mels - level[:, None], dtype=np.float32)


def _mels_of(pcm: Samples, gain: GainCurve, frames: npt.NDArray[np.int64]) -> LogMels:
    """Log mels (2 * frames, 80) of rising numbers of 20 ms frames."""
    start, stop = int(frames[0]), int(frames[-1]) + 1
    mels = log_mels(pcm, gain, 2 * start, 2 * stop).reshape(stop - start, -1)
    return mels[frames - start].reshape(2 * len(frames), -1)
