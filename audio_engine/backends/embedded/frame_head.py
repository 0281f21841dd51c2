"""A small network of our own on the frame features of the packaged ones: is anyone speaking, are two?

A temporal convolutional network (Bai et al., "An Empirical Evaluation of Generic Convolutional and Recurrent Networks
for Sequence Modeling", 2018) that counts voices in three classes: none, one, two or more (Cornell et al., "Detecting
and Counting Overlapping Speakers in Distant Speech Scenarios", Interspeech 2020; overlap as a class of its own as in
Bredin & Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation", Interspeech 2021). Its memory is
finite, so a recording cut in pieces gives what the whole gives, up to rounding. MODEL_CARD.md tells what it was
trained on and how well it hears.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...memory import Samples
from .frame_features import FEATURES, LOGIT, Features, feature_blocks, frame_count
from .level import GainCurve
from .networks import SileroVad

WEIGHTS = Path(__file__).with_name("voice_count.safetensors")
CHANNELS = 64
DILATIONS = (1, 2, 4, 8, 16, 32)
CONTEXT = sum(DILATIONS)  # frames seen to each side: 1.26 s
CLASSES = 3  # no voice, one, two or more

Posteriors = npt.NDArray[np.float32]


class DilatedBlock(nn.Module):
    """One layer with a residual connection: sees each frame and those `dilation` frames before and behind it."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(3 * channels, channels)
        self.mix = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        frames, step = x.shape[1], self.dilation
        padded = nn.functional.pad(self.norm(x), (0, 0, step, step))
        taps = [padded[:, offset : offset + frames] for offset in (0, step, 2 * step)]
        hidden: Tensor = self.widen(torch.cat(taps, dim=2)).relu()
        change: Tensor = self.dropout(self.mix(hidden))
        return x + change


class FrameHead(nn.Module):
    """Frame features (batch, frames, FEATURES) to logits (batch, frames, CLASSES)."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.input = nn.Linear(FEATURES, CHANNELS)
        self.blocks = nn.Sequential(*(DilatedBlock(CHANNELS, dilation) for dilation in DILATIONS))
        self.norm = nn.LayerNorm(CHANNELS)
        self.output = nn.Linear(CHANNELS, CLASSES)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> FrameHead:
        head = cls()
        head.load_state_dict(load_file(path))
        return head.eval().requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        x = self.blocks(self.input((features - self.mean) * self.scale))
        logits: Tensor = self.output(self.norm(x).relu())
        return logits

    def run(self, features: Features) -> Posteriors:
        """(frames, FEATURES) float32 to (frames, 2) float32: the probability of speech, and of overlapped speech."""
        with torch.inference_mode():
            counts = self(torch.from_numpy(features)[None])[0].softmax(dim=1).numpy()
        return np.stack((1 - counts[:, 0], counts[:, 2]), axis=1)


def probabilities(
    pcm: Samples, gain: GainCurve, silero: SileroVad, head: FrameHead, report: Callable[[float], None]
) -> Posteriors:
    """Probability of speech, of overlapped speech, and of speech by silero alone, in each 20 ms frame of the recording,
    shape (frames, 3), float32.

    Frame n is centred on (n + 0.5) * 20 ms. `pcm` (samples,) is float32 at 16 kHz; memory does not grow with its length
    beyond the result's. `report` takes the fraction done.
    """
    total, done = frame_count(len(pcm)), 0
    found = np.empty((total, 3), dtype=np.float32)
    window, before = np.zeros((0, FEATURES), dtype=np.float32), 0
    for block in feature_blocks(pcm, gain, silero):
        window = np.concatenate((window, block))
        last = done + len(window) - before == total
        ready = len(window) - (0 if last else CONTEXT)
        if ready <= before:
            continue
        silero_speech = 1 / (1 + np.exp(-window[before:ready, LOGIT]))
        here = slice(done, done + ready - before)
        found[here] = np.column_stack((head.run(window)[before:ready], silero_speech))
        done = here.stop
        kept = min(ready, CONTEXT)
        window, before = window[ready - kept :], kept
        report(done / total)
    return found
